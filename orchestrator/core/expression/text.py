"""A tree as canonical text: one spelling for every tree, which parses to the same tree again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from orchestrator.core.expression.nodes import (
    And,
    Arithmetic,
    Attribute,
    Call,
    CatalogRow,
    Compare,
    Conditional,
    DictNode,
    Fact,
    Filter,
    History,
    IsNone,
    Item,
    ListNode,
    Literal,
    Name,
    Node,
    Not,
    Or,
    Sign,
    Within,
    Word,
)
from orchestrator.core.expression.signatures import FILTERS, Signature, signature_of

# How tightly each form binds, loosest first; an operand that binds less tightly than its place asks for gets brackets.
_CONDITIONAL, _OR, _AND, _NOT, _IS, _COMPARE, _ADD, _JOIN, _MULTIPLY, _SIGN, _FILTER, _PRIMARY = range(12)
_OF_OPERATOR = {"+": _ADD, "-": _ADD, "~": _JOIN, "*": _MULTIPLY, "/": _MULTIPLY, "//": _MULTIPLY, "%": _MULTIPLY}


def text_of(node: Node) -> str:
    """The canonical text of an expression; parsing it gives an equal tree."""
    return _text(node, _CONDITIONAL)


def quoted(text: str) -> str:
    """A text as a literal of the language, in single quotes and printable characters of ASCII where need be."""
    out = ["'"]
    for char in text:
        if char in "\\'":
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        else:
            code = ord(char)
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join([*out, "'"])


def _text(node: Node, place: int) -> str:
    """The text of a node where only forms that bind at least as tightly as `place` can stand bare."""
    binds, text = _bare(node)
    # A filter takes a sign before its bar (`-x | abs`), but a sign takes no filter behind it.
    return text if binds >= place and not (place == _SIGN and binds == _FILTER) else f"({text})"


def _bare(node: Node) -> tuple[int, str]:
    match node:
        case Literal(value=value):
            return _literal(value)
        case ListNode(items=items):
            return _PRIMARY, f"[{_many(items)}]"
        case DictNode(items=pairs):
            return _PRIMARY, "{" + ", ".join(f"{quoted(key)}: {text_of(item)}" for key, item in pairs) + "}"
        case Name(name=name):
            return _PRIMARY, name
        case Attribute(target=target, name=name):
            return _PRIMARY, f"{_text(target, _PRIMARY)}.{name}"
        case Item(target=target, key=key):
            return _PRIMARY, f"{_text(target, _PRIMARY)}[{text_of(key)}]"
        case Sign(sign="-", operand=Literal(value=int() as zero)) if zero == 0 and zero is not False:
            return _SIGN, "--0"  # the sign of one zero is lost in the number
        case Sign(sign=sign, operand=operand):
            return _SIGN, f"{sign}{_text(operand, _SIGN)}"
        case Arithmetic(first=first, rest=rest):
            binds = _OF_OPERATOR[rest[0][0]]
            terms = "".join(f" {operator} {_operand(term, binds + 1)}" for operator, term in rest)
            return binds, _operand(first, binds + 1) + terms
        case Compare(first=first, rest=pairs_):
            others = "".join(f" {operator} {_text(other, _ADD)}" for operator, other in pairs_)
            return _COMPARE, _text(first, _ADD) + others
        case Not(operand=IsNone(operand=operand)):
            return _IS, f"{_operand(operand, _SIGN)} is not none"
        case Not(operand=operand):
            return _NOT, f"not {_text(operand, _NOT)}"
        case IsNone(operand=operand):
            return _IS, f"{_operand(operand, _SIGN)} is none"
        case And(operands=operands):
            return _AND, " and ".join(_text(operand, _NOT) for operand in operands)
        case Or(operands=operands):
            return _OR, " or ".join(_text(operand, _AND) for operand in operands)
        case Conditional(test=test, then=then, otherwise=otherwise):
            # Jinja would take an `if` behind `is none` for an argument of the test: hence the narrow place.
            return _CONDITIONAL, f"{_operand(then, _SIGN)} if {_text(test, _OR)} else {text_of(otherwise)}"
        case Filter(target=target, name=name, args=args):
            shown = _arguments(FILTERS[name], args)
            return _FILTER, f"{_operand(target, _SIGN)} | {name}{f'({shown})' if shown else ''}"
        case History() | Fact() | CatalogRow() | Call():
            return _PRIMARY, _called(node)
        case _:
            assert_never(node)


def _operand(node: Node, place: int) -> str:
    """As `_text`, where a filter may stand bare beside a sign."""
    binds, text = _bare(node)
    return text if binds >= place else f"({text})"


def _literal(value: bool | int | float | str | None) -> tuple[int, str]:
    match value:
        case None:
            return _PRIMARY, "none"
        case bool():
            return _PRIMARY, "true" if value else "false"
        case str():
            return _PRIMARY, quoted(value)
        case int() | float():
            return (_SIGN if str(value).startswith("-") else _PRIMARY), repr(value)
        case _:
            assert_never(value)


def _many(items: Iterable[Node]) -> str:
    return ", ".join(text_of(item) for item in items)


def _called(node: History | Fact | CatalogRow | Call) -> str:
    match node:
        case History(function=name, event=event, prop=prop, within=within, since_entry=since_entry, where=where):
            words = (event,) if prop is None and len(_word_params(name)) == 1 else (event, prop)
            since = Literal(True) if since_entry else None
            args: tuple[Node | Word | Within | None, ...] = (*words, within, since, where)
        case Fact(function=name, words=fact_words, within=within):
            args = (*fact_words, *((within,) if len(signature_of(name).params) > len(fact_words) else ()))
        case CatalogRow(catalog=catalog, key=key):
            name, args = "catalog", (catalog, key)
        case Call(function=name, args=call_args):
            args = call_args
        case _:
            assert_never(node)
    return f"{name}({_arguments(signature_of(name), args)})"


def _word_params(function: str) -> list[str]:
    return [param.name for param in signature_of(function).params if param.holds == "word"]


def _arguments(signature: Signature, args: Iterable[Node | Word | Within | None]) -> str:
    """The arguments that are given, by place as long as none before is left out, else by name."""
    shown: list[str] = []
    gap = False
    for param, arg in zip(signature.params, args, strict=True):
        if arg is None:
            gap = True
            continue
        text = quoted(arg.text) if isinstance(arg, (Word, Within)) else text_of(arg)
        shown.append(f"{param.name}={text}" if gap or param.by_name else text)
    return ", ".join(shown)
