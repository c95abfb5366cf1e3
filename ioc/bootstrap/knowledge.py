"""What the deployment knows of its province: geodata, names, rules and feeds' configurations, read once at start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import yaml

from alerts.notification.policy import Policy
from alerts.notification.policy_files import read_policy
from alerts.rulebook.book import Rulebook
from alerts.world import World
from connectors.definition import FeedDefinition
from connectors.feed import Feed, FeedConfig
from connectors.inventory import load_inventory
from connectors.mapping.definition import load_mapping, load_mappings
from connectors.mapping.file import SUFFIX as MAPPING_SUFFIX
from connectors.registry import DEFINITIONS, configure, find, open_feeds
from geo.catalogue import load_places, load_stations, load_units, load_zone_index
from geo.installations import load_installations
from ioc.errors import ConfigurationError, NotFoundError
from ioc.keys import Keys
from ioc.logs import logger
from ioc.settings import Settings

_log = logger("knowledge")


def rules_folder(settings: Settings) -> Path:
    """Give the folder of the rules in force."""
    return settings.alerts.rules_dir or Path(str(resources.files("alerts").joinpath("rules")))


def load_rulebook(settings: Settings) -> Rulebook:
    """Read the rules in force. What a rule says against itself was let through once: the log tells it.

    Raises:
        RulebookError: with every fault, each with file and line.
    """
    return Rulebook.load([rules_folder(settings)], on_doubt=lambda fault: _log.warning("rules.doubt", fault=str(fault)))


def policy_file(settings: Settings) -> Path:
    """Give the file that says who is told what."""
    return settings.alerts.policy_file or Path(str(resources.files("alerts").joinpath("policy.yaml")))


def load_policy(settings: Settings) -> Policy:
    """Read who is told what.

    Raises:
        ConfigurationError: with every fault, each with file and line.
    """
    policy, faults = read_policy(policy_file(settings))
    if policy is None:
        raise ConfigurationError([str(fault) for fault in faults])
    return policy


def load_world(geo_directory: Path | None = None) -> World:
    """Make what rules know of the province: zones, which station stands for which zone, and names."""
    names: dict[str, tuple[str, str]] = {}
    for unit in load_units(geo_directory):
        names[unit.code] = names[f"unit.{unit.code}"] = (unit.name_vi, unit.name_en)
    for place in load_places():
        names[place.place_id] = (place.name_vi, place.name_en)
        if place.asset_id is not None:
            names[place.asset_id] = (place.name_vi, place.name_en)
    stations = load_stations()
    names.update({station.asset_id: (station.name_vi, station.name_en) for station in stations})
    names.update({item.asset_id: (item.name_vi, item.name_en) for item in load_installations()})
    return World(
        zones=load_zone_index(geo_directory),
        station_zones={station.asset_id: station.serves_zone for station in stations if station.serves_zone},
        names=names,
    )


def load_definitions(settings: Settings) -> dict[str, FeedDefinition]:
    """Give every feed that this deployment could run: the shipped ones and those of its mapping files.

    Raises:
        ConfigurationError: with every fault of every mapping file, each with its line.
    """
    return {**DEFINITIONS, **load_mappings(settings.feeds.config_dir, taken=DEFINITIONS)}


def load_feed_configs(settings: Settings, feed_ids: Iterable[str] | None = None) -> dict[str, FeedConfig]:
    """Read the configurations of feeds, the enabled ones if none are named: ``<feed>.yaml`` of the folder that is set.

    Raises:
        ConfigurationError: with every fault of every file, unknown feeds included.
    """
    faults: list[str] = []
    configs: dict[str, FeedConfig] = {}
    definitions = load_definitions(settings)
    for feed_id in settings.feeds.enabled if feed_ids is None else feed_ids:
        try:
            find(feed_id, definitions)
            values = {**_find_addresses(settings, feed_id), **_read_overrides(settings.feeds.config_dir, feed_id)}
            configs[feed_id] = configure(feed_id, values, definitions)
        except ConfigurationError as error:
            faults += error.faults
        except NotFoundError as error:
            faults.append(f"IOC_FEEDS__ENABLED: {error}")
    if faults:
        raise ConfigurationError(faults)
    return configs


def find_feed_faults(settings: Settings, files: Sequence[Path] | None = None) -> list[str]:
    """Give every fault of feeds' files: those named, else all in the folder that is set and the list of the enabled."""
    folder = settings.feeds.config_dir
    faults: list[str] = []
    if files is None and folder is not None and not folder.is_dir():
        return [f"IOC_FEEDS__CONFIG_DIR: {folder} is no folder"]
    found = (sorted(folder.glob("*.yaml")) if folder is not None else []) if files is None else files
    definitions = dict(DEFINITIONS)
    for path in sorted(found, key=lambda path: not path.name.endswith(MAPPING_SUFFIX)):
        feed_id = path.name.removesuffix(MAPPING_SUFFIX).removesuffix(".yaml")
        if not path.is_file():
            faults.append(f"{path}: no such file")
            continue
        try:
            if not path.name.endswith(MAPPING_SUFFIX):
                configure(feed_id, _read_overrides(path.parent, feed_id), definitions)
                continue
            mapped = load_mapping(path, taken=DEFINITIONS)
            definitions[feed_id] = mapped
            configure(feed_id, definitions=definitions)
        except ConfigurationError as error:
            faults += error.faults
        except NotFoundError:
            faults.append(f"{path}: there is no feed {feed_id!r}")
    if files is None:
        faults += [
            f"IOC_FEEDS__ENABLED: no feed {name!r}" for name in settings.feeds.enabled if name not in definitions
        ]
    return faults


def load_feeds(settings: Settings, keys: Keys, geo_directory: Path | None = None) -> dict[str, Feed]:
    """Make the deployment's feeds ready to parse."""
    return open_feeds(
        settings.feeds.enabled,
        stations=load_inventory(geo_directory),
        pseudonym_key=keys.pseudonym_key,
        configs=load_feed_configs(settings),
        definitions=load_definitions(settings),
    )


def _find_addresses(settings: Settings, feed_id: str) -> Mapping[str, object]:
    """Give what the settings say of a feed's address; the feed's own file comes before it."""
    if feed_id == "transit" and settings.feeds.transit_url is not None:
        return {"poll": {"url": settings.feeds.transit_url, "form": "gtfs-rt", "every": "PT15S"}}
    return {}


def _read_overrides(folder: Path | None, feed_id: str) -> Mapping[str, object]:
    if folder is None:
        return {}
    path = folder / f"{feed_id}.yaml"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    if not isinstance(values, dict):
        raise ConfigurationError([f"{path}: must be a mapping of settings"])
    return values
