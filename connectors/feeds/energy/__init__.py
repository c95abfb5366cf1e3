"""Power and light: load of feeders, customers without power by unit, street-light cabinets."""
