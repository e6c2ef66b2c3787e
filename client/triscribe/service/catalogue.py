"""What is served: models, their languages and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triscribe.errors import FailedPreconditionError, NotFoundError


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One checkpoint; `languages` are Whisper's codes."""

    name: str
    languages: frozenset[str]
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All served models by name, the default first, and the languages that have an aligner."""

    models: Mapping[str, ServedModel]
    aligner_languages: tuple[str, ...]

    def choose(self, name: str, *, language: str | None, task: str) -> ServedModel:
        """The model of that name, or the default.

        Raises:
            NotFoundError: it is not served.
            FailedPreconditionError: it lacks the language or the task.
        """
        model = self.models.get(name or next(iter(self.models), ""))
        if model is None:
            served = ", ".join(self.models) or "none"
            raise NotFoundError(f"model {name!r} is not served here; served: {served}", field="model")
        if task not in model.tasks or (task == "translate" and len(model.languages) == 1):
            raise FailedPreconditionError(f"model {model.name!r} cannot {task}", field="task")
        if language is not None and language not in model.languages:
            able = [other.name for other in self.models.values() if language in other.languages]
            remedy = f"; {', '.join(able)} does" if able else ", and no other model here does"
            raise FailedPreconditionError(
                f"model {model.name!r} does not know the language {language!r}{remedy}", field="language"
            )
        return model
