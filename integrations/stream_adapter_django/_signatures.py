"""The signature of a decorated view, as django-ninja reads it to parse a request."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["keep_signature"]


def keep_signature(view: Callable[..., Any], adapted: Any) -> None:
    """Give `adapted` the signature of `view`, its annotations no longer text.

    Who evaluates the annotations of a wrapper does so among the names of the module that wrapped it. They are evaluated
    here among those of the view's. What is not defined there stays text.
    """
    names = getattr(inspect.unwrap(view), "__globals__", None)
    if names is None or not any(isinstance(value, str) for value in getattr(view, "__annotations__", {}).values()):
        return
    signature = inspect.signature(view)
    parameters = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in signature.parameters.values()
    ]
    adapted.__signature__ = signature.replace(
        parameters=parameters, return_annotation=_evaluated(signature.return_annotation, names)
    )


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307  # the source of the view, as `inspect.signature(eval_str=True)`
    except Exception:  # noqa: BLE001  # a name that only type checkers see, or one that is defined later
        return annotation
