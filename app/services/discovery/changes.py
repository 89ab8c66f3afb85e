"""How much a reading found and changed, so far or in all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """How many instances were seen, and what became of those."""

    seen: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0

    @property
    def is_any(self) -> bool:
        return bool(self.added or self.changed or self.vanished)

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.seen + other.seen,
            self.added + other.added,
            self.changed + other.changed,
            self.vanished + other.vanished,
        )
