"""A piece of a template's expression as text of the expression language: the key under which its value is frozen.

Two spellings of one expression give the same text, and the text parses to the same expression again.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

_ARITHMETIC: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}
OPERATORS: dict[str, str] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
"""Jinja's names of the comparisons, as the language writes them."""


class NotInLanguage(Exception):
    """The expression uses what templates have and the expression language lacks; `node` is the place."""

    def __init__(self, node: nodes.Node, what: str) -> None:
        self.node = node
        self.what = what
        super().__init__(what)


def canonical(node: nodes.Expr) -> str:
    """The expression as the language writes it. Raises NotInLanguage."""
    match node:
        case nodes.Const():
            return _constant(node)
        case nodes.Name():
            return str(node.name)
        case nodes.Getattr():
            return f"{_operand(node.node)}.{node.attr}"
        case nodes.Getitem():
            if isinstance(node.arg, nodes.Slice):
                raise NotInLanguage(node, "a slice such as [:3]")
            return f"{_operand(node.node)}[{canonical(node.arg)}]"
        case nodes.Call():
            if node.dyn_args is not None or node.dyn_kwargs is not None:
                raise NotInLanguage(node, "* or ** before an argument")
            return f"{canonical(node.node)}({_arguments(node.args, node.kwargs)})"
        case nodes.Filter() if node.node is not None:
            arguments = _arguments(node.args, node.kwargs)
            return f"{_operand(node.node)} | {node.name}" + (f"({arguments})" if arguments else "")
        case nodes.Test() if node.name == "none" and not node.args:
            return f"{_operand(node.node)} is none"
        case nodes.List() | nodes.Tuple():
            return f"[{', '.join(canonical(item) for item in node.items)}]"
    return _operation(node)


def _operation(node: nodes.Expr) -> str:
    match node:
        case nodes.Compare():
            parts = [_operand(node.expr)]
            for operand in node.ops:
                parts += [OPERATORS[operand.op], _operand(operand.expr)]
            return " ".join(parts)
        case nodes.Not():
            return f"not {_operand(node.node)}"
        case nodes.And():
            return f"{_operand(node.left)} and {_operand(node.right)}"
        case nodes.Or():
            return f"{_operand(node.left)} or {_operand(node.right)}"
        case nodes.Neg():
            return f"-{_operand(node.node)}"
        case nodes.Pos():
            return f"+{_operand(node.node)}"
        case nodes.Concat():
            return " ~ ".join(_operand(part) for part in node.nodes)
        case nodes.CondExpr() if node.expr2 is not None:
            return f"{_operand(node.expr1)} if {_operand(node.test)} else {_operand(node.expr2)}"
        case nodes.BinExpr() if type(node) in _ARITHMETIC:
            return f"{_operand(node.left)} {_ARITHMETIC[type(node)]} {_operand(node.right)}"
    raise NotInLanguage(node, f"'{type(node).__name__.lower()}'")


def _operand(node: nodes.Expr) -> str:
    text = canonical(node)
    atomic = (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Call, nodes.List, nodes.Tuple)
    if isinstance(node, atomic) or (isinstance(node, nodes.Const) and not text.startswith("-")):
        return text
    return f"({text})"


def _arguments(args: list[nodes.Expr], kwargs: list[Any]) -> str:
    return ", ".join([*(canonical(arg) for arg in args), *(f"{word.key}={canonical(word.value)}" for word in kwargs)])


def _constant(node: nodes.Const) -> str:
    value = node.value
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return "'" + "".join(char if char.isprintable() else _escape(char) for char in escaped) + "'"
    raise NotInLanguage(node, f"a constant of the kind {type(value).__name__}")


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
