"""Questions about a customer that other tables answer: consent, messages, passages, coupons, memberships."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.core.expression.nodes import Fact
from orchestrator.core.project import Project
from orchestrator.stores.segment_sql.dialects import Dialect, NotInSql, exists, quoted

_MICROSECOND = timedelta(microseconds=1)


def holds(dialect: Dialect, place: int, text: str) -> str:
    """Whether a list of texts in the customer's state holds one."""
    source, value = dialect.items("c.doc", (place,), "held")
    found = exists(f"FROM {source} WHERE {value} = {quoted(text)}")
    return f"CASE WHEN c.doc IS NOT NULL THEN {found} END"


def fact(node: Fact, project: Project, dialect: Dialect, now: int, sealed: bool) -> str:
    """The condition of a question. Raises NotInSql."""
    word = node.words[0].text
    mine = "x.shard = c.shard AND x.customer = c.id"
    match node.function:
        case "consented":
            return _consented(word, node.words[1].text, project, dialect, now)
        case "received":
            named = f"(x.template = {quoted(word)} OR x.journey = {quoted(word)})"
            found = f"messages AS x WHERE {mine} AND {named} AND x.status NOT IN ('suppressed', 'rejected')"
            return _happened(node, project, found, "x.at", now)
        case "entered":
            source, value = dialect.items("x.doc", (2,), "entry")
            rows = f"(SELECT {dialect.document('n.state')} AS doc FROM entries AS n WHERE n.shard = c.shard AND "
            rows += f"n.customer = c.id AND n.journey = {quoted(word)})"
            joined = "CROSS JOIN LATERAL" if dialect.name == "postgresql" else "CROSS JOIN"
            number = f"CAST({value} AS BIGINT)"
            return _happened(node, project, f"{rows} AS x {joined} {source} WHERE TRUE", number, now)
        case "in_journey":
            live = "x.status NOT IN ('completed', 'exited')"
            return exists(f"FROM enrollments AS x WHERE {mine} AND x.journey = {quoted(word)} AND {live}")
        case "redeemed":
            return exists(f"FROM coupons AS x WHERE {mine} AND x.offer = {quoted(word)} AND x.status = 'redeemed'")
        case "reachable":
            return _reachable(word, dialect, sealed)
        case "opened" | "clicked":
            return "FALSE"  # outside of an enrollment there are no steps
        case _:
            raise NotInSql(f"'{node.function}' has no words in SQL")


def _consented(topic: str, channel: str, project: Project, dialect: Dialect, now: int) -> str:
    known = project.topics.get(topic)
    if known is not None and known.klass == "transactional":
        return "TRUE"
    source, _ = dialect.items("c.choices", (), "held")
    same = f"{dialect.item('held', 0)} = {quoted(topic)} AND {dialect.item('held', 1)} = {quoted(channel)}"
    state, date = dialect.item("held", 2), f"CAST({dialect.item('held', 3)} AS BIGINT)"
    if known is None or known.klass == "promotional":
        lasts = f"({date} IS NULL OR {date} > {now})"
        wanted = exists(f"FROM {source} WHERE {same} AND {state} = 'in' AND {lasts}")
    else:
        wanted = "NOT " + exists(f"FROM {source} WHERE {same} AND {state} = 'out'")
    return f"CASE WHEN c.choices IS NOT NULL THEN {wanted} END"


def _happened(node: Fact, project: Project, found: str, at: str, now: int) -> str:
    """Whether the latest of some instants, up to now, lies in the window; without one, whether there is any."""
    if node.within is None:
        return exists(f"FROM {found}")
    stays_for = min(node.within.length_for, project.settings.history)
    return exists(f"FROM {found} AND {at} <= {now} AND {at} > {now - stays_for // _MICROSECOND}")


def _reachable(channel: str, dialect: Dialect, sealed: bool) -> str:
    """Who has no address is not reachable; whether an address can be used, and is not suppressed, the evaluator
    knows."""
    place = {"email": 1, "sms": 2}.get(channel)
    if place is None or sealed:
        raise NotInSql(f"whether an address on '{channel}' can be used is decided by the evaluator")
    found = dialect.json("c.doc", (place,))
    return f"CASE WHEN c.doc IS NOT NULL AND {found.is_none} THEN FALSE END"
