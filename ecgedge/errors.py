"""The error tree. Every message is one line: the file or value, the limit, the remedy.

EcgedgeError              anything ecgedge refuses; the command line prints it and exits with 1
+-- InputError            a recording, picture or argument that cannot be judged
|   +-- LeadNotFound      the recording lacks the lead that was asked for
+-- BundleError           a bundle that is damaged, of another schema, or not a bundle
+-- DataError             a public data set that is missing, incomplete or corrupt
+-- SettingsError         agent.toml or a recipe with an unknown key or impossible value
+-- StoreError            the result store cannot be opened or written
+-- MissingDependency     an extra is not installed; the message gives the pip line
"""


class EcgedgeError(Exception):
    """Base of all errors that are the user's to mend; `str(error)` is one line."""


class InputError(EcgedgeError):
    """A recording, picture or argument that cannot be judged."""


class LeadNotFound(InputError):
    """The recording lacks the lead that was asked for."""


class BundleError(EcgedgeError):
    """A bundle that is damaged, of another schema, or not a bundle."""


class DataError(EcgedgeError):
    """A public data set that is missing, incomplete or corrupt."""


class SettingsError(EcgedgeError):
    """A settings or recipe file with an unknown key, a wrong type or an impossible value."""


class StoreError(EcgedgeError):
    """The result store cannot be opened or written."""


class MissingDependency(EcgedgeError):
    """A package that belongs to an extra is not installed."""
