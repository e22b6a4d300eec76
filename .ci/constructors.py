"""Write out the constructors of dataclasses, in the copy that is compiled.

The constructor that `dataclass` makes is text that is interpreted, one call of `object.__setattr__` for each field of a
frozen class, whatever the rest of the module is compiled to. Written out it is machine code like the rest: a tenth of
the time. Only copies are rewritten; the sources keep their one line, and both make the same values.

    python .ci/constructors.py FILE...

A class whose constructor needs more than its fields (bases, keyword-only fields) stays as it is.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

_DECORATOR = {"frozen", "slots", "eq", "order", "repr"}  # options of `dataclass` that leave its constructor alone
_FIELD = {"default", "default_factory", "repr", "compare", "hash", "init"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a constructor: how it is declared, and what the field of its name is set to."""

    name: str
    declaration: str
    value: str


class Unusual(Exception):
    """A class that is left as it is."""


def rewrite(source: str) -> str:
    """The source with every constructor written out that can be."""
    lines = source.splitlines()
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    for node in sorted(classes, key=lambda found: found.lineno, reverse=True):  # from the end: line numbers hold
        try:
            decorator, parameters = _find_decorator(node), _read_parameters(node)
        except Unusual:
            continue
        behind, place = node.end_lineno or 0, (decorator.func.end_lineno or 0) - 1
        lines[behind:behind] = _write(node, parameters)
        column = decorator.func.end_col_offset or 0
        lines[place] = f"{lines[place][:column]}(init=False, {lines[place][column + 1 :]}"
    return "\n".join(lines) + "\n"


def _find_decorator(node: ast.ClassDef) -> ast.Call:
    """The call of `dataclass`, where nothing else adorns the class and nothing is inherited."""
    match node.decorator_list, node.bases:
        case [ast.Call(func=ast.Name(id="dataclass"), args=[], keywords=keywords) as call], []:
            if keywords and {keyword.arg for keyword in keywords} <= _DECORATOR and not _has(node, "__init__"):
                return call
    raise Unusual


def _has(node: ast.ClassDef, method: str) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == method for item in node.body)


def _read_parameters(node: ast.ClassDef) -> list[Parameter]:
    """What the constructor takes, in order."""
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
    return [parameter for item in fields if (parameter := _read_parameter(item)) is not None]


def _read_parameter(item: ast.AnnAssign) -> Parameter | None:
    """The parameter of one field; None where the field is set after the constructor."""
    name, kind = ast.unparse(item.target), ast.unparse(item.annotation)
    if kind.startswith(("ClassVar", "InitVar")):
        raise Unusual
    options: dict[str | None, str] = {}
    match item.value:
        case ast.Call(func=ast.Name(id="field"), args=[], keywords=keywords):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
        case ast.expr() as value:
            options = {"default": ast.unparse(value)}
    if not options.keys() <= _FIELD:
        raise Unusual
    if options.get("init") == "False":
        if options.keys() & {"default", "default_factory"}:
            raise Unusual
        return None
    if "default_factory" not in options:
        default = f" = {options['default']}" if "default" in options else ""
        return Parameter(name, f"{name}: {kind}{default}", name)
    if "None" in kind:  # None could not be told from no argument
        raise Unusual
    return Parameter(
        name, f"{name}: {kind} | None = None", f"{options['default_factory']}() if {name} is None else {name}"
    )


def _write(node: ast.ClassDef, parameters: list[Parameter]) -> list[str]:
    margin = " " * node.body[0].col_offset
    declared = ", ".join(["self", *(parameter.declaration for parameter in parameters)])
    # A frozen class lets nobody set its fields but machine code of its own.
    settings = [f"self.{item.name} = {item.value}  # type: ignore[misc, unused-ignore]" for item in parameters]
    settings += ["self.__post_init__()"] * _has(node, "__post_init__")
    body = [f"{margin}    {line}" for line in settings or ["pass"]]
    return ["", f"{margin}def __init__({declared}) -> None:", *body]


def main() -> None:
    """Rewrite each file that is named."""
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewrite(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
