"""The version, for the package, the command and the build."""

__version__ = "0.2.0"
