"""`/v1/models`: what is served, and the further names of it."""

from __future__ import annotations

from triscribe.errors import NotFoundError
from triscribe.gateway.http import bodies
from triscribe.gateway.http.answering import HttpCall
from triscribe.gateway.http.written import json_response
from triscribe.service.catalogue import Catalogue
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher

_OWNER = "triscribe"


class ModelRoutes:
    """`/v1/models` and `/v1/models/{id}`."""

    def __init__(self, settings: GatewaySettings, watcher: Watcher) -> None:
        self._settings = settings
        self._watcher = watcher

    async def list_models(self, http: HttpCall) -> None:
        """All of them, the default first."""
        models = tuple(self._models(self._watcher.catalogue).values())
        await http.exchange.answer(json_response(bodies.ModelList(data=models)))

    async def get_model(self, http: HttpCall) -> None:
        """One of them."""
        name = http.exchange.scope["path_params"]["model"]
        model = self._models(self._watcher.catalogue).get(name)
        if model is None:
            raise NotFoundError(f"model {name!r} is not served here", field="model")
        await http.exchange.answer(json_response(model))

    def _models(self, catalogue: Catalogue) -> dict[str, bodies.Model]:
        """The served ones and the names that stand for one; nobody keeps when a model was made."""
        names = [alias for alias, name in self._settings.http_models.items() if not name or name in catalogue.models]
        return {name: bodies.Model(id=name, created=0, owned_by=_OWNER) for name in (*catalogue.models, *names)}
