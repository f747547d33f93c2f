"""What a template needs from the engine, and the same template with those needs replaced by look-ups.

Every closed piece of an expression (`customer.first_name`, `catalog('hotels', entry.hotel_id).name`,
`entry.total >= 200`) is worked out by the engine when the message row is written, with the expression language's own
rules. In the compiled template it is a name such as `_u3`. What depends on a loop or `{% set %}` of the template
itself is worked out while rendering.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, cast

from jinja2 import nodes

from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.expression.signatures import BadCall, bind, signature_of
from orchestrator.templating.canonical import OPERATORS, canonical
from orchestrator.templating.closed import SPECIAL_NAMES, leftmost, openness, roots
from orchestrator.templating.environment import LOOP_NAMES
from orchestrator.templating.filters import SIGNATURES, TESTS
from orchestrator.templating.guards import GUARDS
from orchestrator.templating.refusals import FILTERS_ELSEWHERE, METHODS, REFUSED

DEEPEST = 60
MOST_LOOPS = 8
"""Loops inside one another."""
_OPERATORS_OF: dict[type[nodes.Expr], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}


class Finding(NamedTuple):
    """Something wrong in a template; `mark` is the place."""

    code: str
    mark: int
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Binding:
    """What one template variant needs; filled while its parts are read, in their order."""

    slots: dict[str, int] = field(default_factory=dict)
    """Key to number, in order of first appearance."""
    marks: dict[str, list[int]] = field(default_factory=dict)
    """Key to the places where it stands."""
    names: dict[str, list[int]] = field(default_factory=dict)
    """Name at the root of a value to the places where it stands; functions and our own names are not among them."""
    specials: set[str] = field(default_factory=set)
    """Which of SPECIAL_NAMES are used."""
    dated: bool = False
    """Whether rendering depends on the zone in force (a date filter or comparison runs in the template)."""
    findings: list[Finding] = field(default_factory=list)
    internal: frozenset[str] = frozenset()
    """Names of our own that the renderer gives; authors cannot write them."""

    def bind(self, tree: nodes.Template) -> nodes.Template:
        """Rewrite the tree in place; findings are added to `findings`, and it may only be compiled without any."""
        if not _too_deep(tree, self):
            tree.body = _Walk(self).statements(tree.body, set())
        return tree

    def finding(self, code: str, node: nodes.Node, message: str, hint: str | None = None) -> None:
        """Note something wrong at a node."""
        self.findings.append(Finding(code, leftmost(node), message, hint))


def _too_deep(tree: nodes.Node, binding: Binding) -> bool:
    level: list[nodes.Node] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return False
    binding.finding("template_too_deep", level[0], f"tags and expressions nest more than {DEEPEST} deep", "simplify it")
    return True


class _Walk:
    """One pass over a tree. `local` are the names that the template itself defines at that place."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.loops = 0

    def statements(self, body: list[nodes.Node], local: set[str]) -> list[nodes.Node]:
        return [self.statement(node, local) for node in body]

    def statement(self, node: nodes.Node, local: set[str]) -> nodes.Node:
        match node:
            case nodes.Output():
                node.nodes = [
                    item if isinstance(item, nodes.TemplateData) else self.expression(item, local)
                    for item in node.nodes
                ]
            case nodes.If():
                self._if(node, local)
            case nodes.For():
                self._for(node, local)
            case nodes.Assign():
                node.node = self.expression(cast(nodes.Expr, node.node), local)
                local.update(self._targets(node.target))
            case nodes.With():
                node.values = [self.expression(value, local) for value in node.values]
                inner = local | {name for target in node.targets for name in self._targets(target)}
                node.body = self.statements(node.body, inner)
            case nodes.Scope():
                node.body = self.statements(node.body, set(local))
            case _:
                self._refuse(node)
        return node

    def _if(self, node: nodes.If, local: set[str]) -> None:
        """A branch does not see what another one sets; what follows sees what any of them set."""
        node.test = self.expression(cast(nodes.Expr, node.test), local)
        after, other = set(local), set(local)
        node.body = self.statements(node.body, after)
        for branch in node.elif_:
            own = set(local)
            self._if(branch, own)
            after |= own
        node.else_ = self.statements(node.else_, other)
        local |= after | other

    def _for(self, node: nodes.For, local: set[str]) -> None:
        if node.recursive:
            self.binding.finding("template_recursion", node, "a loop cannot be recursive", "write a loop a level")
        targets = self._targets(node.target)
        if "loop" in targets:
            self.binding.finding("template_name", node, "'loop' is the loop's own name", "name the item otherwise")
        node.iter = self._filter(self.expression(cast(nodes.Expr, node.iter), local), "_each")
        inner = local | targets | {"loop"}
        if node.test is not None:
            node.test = self.expression(cast(nodes.Expr, node.test), local | targets)
        self.loops += 1
        if self.loops == MOST_LOOPS + 1:
            message = f"loops nest more than {MOST_LOOPS} deep"
            self.binding.finding("template_too_deep", node, message, "put the innermost into a list of its own")
        node.body = self.statements(node.body, set(inner))
        self.loops -= 1
        node.else_ = self.statements(node.else_, set(local))

    def _targets(self, target: nodes.Node) -> set[str]:
        names: set[str] = set()
        for name in [target] if isinstance(target, nodes.Name) else getattr(target, "items", []):
            if isinstance(name, nodes.Name):
                self._own_name(name)
                names.add(name.name)
            else:
                self._refuse(name)
        if isinstance(target, nodes.NSRef):
            self._refuse(target)
        return names

    def _own_name(self, node: nodes.Name) -> None:
        if node.name.startswith("_"):
            self.binding.finding(
                "template_name", node, f"a name may not begin with an underscore: '{node.name}'", "name it otherwise"
            )

    def _refuse(self, node: nodes.Node) -> None:
        unknown = (f"'{type(node).__name__.lower()}' is not available in templates", None)
        message, hint = REFUSED.get(type(node), unknown)
        self.binding.finding("template_syntax", node, message, hint)

    # --- expressions --------------------------------------------------------------------------------------------------

    def expression(self, node: nodes.Expr, local: set[str]) -> nodes.Expr:
        match node:
            case nodes.Const():
                if isinstance(node.value, (int, float)) and not abs(node.value) < 2**63:
                    self.binding.finding("template_syntax", node, "this number is too large", "numbers have 64 bits")
                return node
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self._chain(node, local)
            case nodes.Call():
                return self._call(node, local)
            case nodes.Compare() | nodes.BinExpr() | nodes.Neg() | nodes.Pos() if not isinstance(
                node, (nodes.And, nodes.Or)
            ):
                if type(node) in REFUSED:
                    self._refuse(node)
                    return node
                if openness(node, local) is None:
                    return self._use(node)
                return self._operation(node, local)
            case nodes.Filter():
                return self._filtered(node, local)
        return self._composed(node, local)

    def _composed(self, node: nodes.Expr, local: set[str]) -> nodes.Expr:
        match node:
            case nodes.And() | nodes.Or():
                node.left, node.right = self.expression(node.left, local), self.expression(node.right, local)
            case nodes.Not():
                node.node = self.expression(node.node, local)
            case nodes.CondExpr():
                node.test = self.expression(node.test, local)
                node.expr1 = self.expression(node.expr1, local)
                empty = nodes.Const("", lineno=node.lineno)
                node.expr2 = empty if node.expr2 is None else self.expression(node.expr2, local)
            case nodes.Concat():
                first, *others = [self.expression(part, local) for part in node.nodes]
                return self._filter(first, "_concat", *others)
            case nodes.Test():
                return self._test(node, local)
            case nodes.List() | nodes.Tuple():
                listed = nodes.List([self.expression(item, local) for item in node.items], lineno=node.lineno)
                constant = all(isinstance(item, nodes.Const) for item in listed.items)
                return listed if constant else self._filter(listed, "_flat")
            case nodes.Slice():
                for part in ("start", "stop", "step"):
                    value = getattr(node, part)
                    setattr(node, part, None if value is None else self.expression(value, local))
            case _:
                self._refuse(node)
        return node

    def _chain(self, node: nodes.Expr, local: set[str]) -> nodes.Expr:
        if isinstance(node, nodes.Name) and node.name in self.binding.internal:
            return node
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            if "loop" in local:
                if node.attr not in LOOP_NAMES:
                    hint = did_you_mean(node.attr, LOOP_NAMES) or f"possible: {known_words(LOOP_NAMES)}"
                    self.binding.finding("template_loop", node, f"'loop' has no '{node.attr}'", hint)
                return node
        if self._hidden(node):
            return node
        if openness(node, local) is None:
            return self._use(node)
        match node:
            case nodes.Name():
                self._own_name(node)
                if node.name in local:
                    if node.name == "loop":
                        self.binding.finding("template_loop", node, "'loop' is no value", "write loop.index")
                elif node.name in SPECIAL_NAMES:
                    self.binding.specials.add(node.name)
            case nodes.Getattr():
                node.node = self.expression(node.node, local)
            case nodes.Getitem():
                node.node = self.expression(node.node, local)
                node.arg = self.expression(node.arg, local)
        return node

    def _hidden(self, node: nodes.Expr) -> bool:
        name = node.attr if isinstance(node, nodes.Getattr) else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            name = node.arg.value
        if name is None or not name.startswith("__"):
            return False
        self.binding.finding("template_name", node, f"there is no property '{name}'", "templates see plain data only")
        return True

    def _call(self, node: nodes.Call, local: set[str]) -> nodes.Expr:
        if not isinstance(node.node, nodes.Name):
            self._method(node)
            return node
        name = node.node.name
        if name in local or name in SPECIAL_NAMES:
            message, hint = f"'{name}' is a value and cannot be called", f"write {name} without brackets"
            self.binding.finding("template_call", node, message, hint)
            return node
        try:
            signature_of(name)
        except BadCall as error:
            self.binding.finding("unknown_function", node, error.message, error.hint)
            return node
        open_at = openness(node, local)
        if open_at is None:
            return self._use(node)
        place, reason, way_out = open_at
        code = "template_call_in_loop" if way_out is not None else "template_call"
        self.binding.finding(code, place, f"{name}() is worked out before the template runs, and {reason}", way_out)
        return node

    def _method(self, node: nodes.Call) -> None:
        called = node.node.attr if isinstance(node.node, nodes.Getattr) else "this"
        named = f"use the filter: | {called}" if called in SIGNATURES else "use a filter: x | upper"
        hint = METHODS.get(called, named)
        self.binding.finding("template_call", node, f"methods cannot be called: {called}()", hint)

    def _filtered(self, node: nodes.Filter, local: set[str]) -> nodes.Expr:
        if node.node is None:
            self._refuse(node)
            return node
        inner = self.expression(node.node, local)
        if node.name in GUARDS and self.binding.internal:
            return self._filter(inner, node.name, lineno=node.lineno)
        signature = SIGNATURES.get(node.name)
        if signature is None:
            hint = FILTERS_ELSEWHERE.get(node.name) or did_you_mean(node.name, SIGNATURES)
            possible = f"filters: {known_words(SIGNATURES, 40)}"
            self.binding.finding("unknown_filter", node, f"there is no filter '{node.name}'", hint or possible)
            return inner
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.binding.finding("filter_arguments", node, "* and ** are not available in arguments", None)
            return inner
        args = [self.expression(arg, local) for arg in node.args]
        named = [(str(word.key), self.expression(word.value, local)) for word in node.kwargs]
        try:
            bound = bind(node.name, signature, args, named)
        except BadCall as error:
            self.binding.finding("filter_arguments", node, error.message, error.hint)
            return inner
        self.binding.dated |= node.name in ("date", "datetime")
        none = nodes.Const(None, lineno=node.lineno)
        return self._filter(inner, node.name, *(arg or none for arg in bound), lineno=node.lineno)

    def _test(self, node: nodes.Test, local: set[str]) -> nodes.Expr:
        if node.name not in TESTS:
            hint = did_you_mean(node.name, TESTS) or f"possible: {known_words(TESTS)}; or compare with =="
            self.binding.finding("unknown_test", node, f"there is no test 'is {node.name}'", hint)
            return node
        wanted = 1 if node.name == "divisibleby" else 0
        if len(node.args) != wanted or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            self.binding.finding("filter_arguments", node, f"'is {node.name}' takes {wanted or 'no'} argument", None)
            return node
        node.node = self.expression(node.node, local)
        node.args = [self.expression(arg, local) for arg in node.args]
        return node

    def _operation(self, node: nodes.Expr, local: set[str]) -> nodes.Expr:
        if isinstance(node, (nodes.Neg, nodes.Pos)):
            sign = nodes.Const("-" if isinstance(node, nodes.Neg) else "+", lineno=node.lineno)
            return self._filter(self.expression(node.node, local), "_sign", sign)
        self.binding.dated = True  # texts that are dates compare and add up by the zone
        if isinstance(node, nodes.BinExpr):
            operator = nodes.Const(_OPERATORS_OF[type(node)], lineno=node.lineno)
            left, right = self.expression(node.left, local), self.expression(node.right, local)
            return self._filter(left, "_calculate", operator, right)
        assert isinstance(node, nodes.Compare)
        left = node.expr
        whole: nodes.Expr | None = None
        for operand in node.ops:
            operator = nodes.Const(OPERATORS[operand.op], lineno=node.lineno)
            one, two = self.expression(left, local), self.expression(operand.expr, local)
            single = self._filter(one, "_compare", operator, two)
            whole = single if whole is None else nodes.And(whole, single, lineno=node.lineno)
            left = operand.expr
        assert whole is not None
        return whole

    def _filter(self, node: nodes.Expr, name: str, *args: nodes.Expr, lineno: int = 0) -> nodes.Filter:
        return nodes.Filter(node, name, list(args), [], None, None, lineno=lineno or node.lineno)

    # --- what the engine works out ------------------------------------------------------------------------------------

    def _use(self, node: nodes.Expr) -> nodes.Expr:
        key = canonical(node)
        mark = leftmost(node)
        slot = self.binding.slots.setdefault(key, len(self.binding.slots))
        self.binding.marks.setdefault(key, []).append(mark)
        for name in roots(node):
            self.binding.names.setdefault(name.name, []).append(name.lineno)
        return nodes.Name(f"_u{slot}", "load", lineno=mark)
