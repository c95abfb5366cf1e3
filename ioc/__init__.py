"""Backend of the Intelligent Operations Centre (IOC) of Quảng Ninh province."""

__version__ = "0.1.0"
