"""What is served: models, their languages and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triscribe.errors import FailedPreconditionError, NotFoundError, UnavailableError


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

    def resolve(self, name: str | None, further: Mapping[str, str]) -> str:
        """The name of the model that a caller means: the default where it names none, never empty.

        Args:
            name: what the caller says.
            further: names that stand for a model, or with an empty value for the default.

        Raises:
            UnavailableError: there is no default, because nothing is served.
        """
        chosen = further.get(name, name) if name else ""
        if not chosen and not self.models:
            raise UnavailableError("no model is served yet")
        return chosen or next(iter(self.models))

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
