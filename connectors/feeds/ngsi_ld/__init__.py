"""NGSI-LD (ETSI GS CIM 009): notifications and entities of any context broker."""
