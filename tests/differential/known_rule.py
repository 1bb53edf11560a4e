"""A row of the tables of known differences."""
import dataclasses
import typing


@dataclasses.dataclass
class Known:
    name: str
    rfc: str
    says: str  # the sentence, in own words, and what follows for both
    holds: typing.Callable
