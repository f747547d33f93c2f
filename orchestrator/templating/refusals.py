"""What Jinja knows and templates here do not have, each with the way out."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import nodes

REFUSED: Mapping[type[nodes.Node], tuple[str, str]] = {
    nodes.Macro: ("macros are not available", "put the shared part into a file and {% include '_name.html' %} it"),
    nodes.CallBlock: ("{% call %} is not available", "{% include %} a file whose name begins with an underscore"),
    nodes.Import: ("{% import %} is not available", "{% include %} a file whose name begins with an underscore"),
    nodes.FromImport: ("{% import %} is not available", "{% include %} a file whose name begins with an underscore"),
    nodes.Extends: ("{% extends %} is not available", "{% include %} the parts before and after, such as '_head.html'"),
    nodes.Block: ("{% block %} is not available", "{% include %} the parts before and after, such as '_head.html'"),
    nodes.FilterBlock: ("{% filter %} is not available", "write the filter in each {{ }}"),
    nodes.AssignBlock: ("{% set %} takes one value here", "write {% set name = value %}"),
    nodes.ScopedEvalContextModifier: ("{% autoescape %} is not available", "values are always escaped"),
    nodes.Pow: ("'**' is not available", "multiply: x * x"),
    nodes.Dict: ("an object cannot be written in a template", "name the properties one by one"),
    nodes.NSRef: ("namespace() is not available", "use loop.index, or a filter such as sum(attribute='price')"),
}
"""By kind of tag or expression: what to say, and what to do instead."""

METHODS: Mapping[str, str] = {
    "items": "entry.items is the property; go through an object by {% for name in object %}",
    "format": "put values and text together with ~",
    "strftime": "use the filter: | date('%d %B %Y')",
    "cycle": "write {{ 'odd' if loop.index is odd else 'even' }}",
}
"""By name of a method that people call: what to write instead."""

FILTERS_ELSEWHERE: Mapping[str, str] = {
    "safe": "values are always escaped; markup belongs in the template, not in the data",
    "attr": "a property is read as customer.name",
    "format": "put values and text together with ~",
    "tojson": "write the values you need one by one",
    "pprint": "write the values you need one by one",
    "e": "use the filter 'escape'",
    "d": "use the filter 'default'",
    "count": "use the filter 'length'",
    "size": "use the filter 'length'",
    "list": "it is a list already",
    "items": "go through the names: {% for name in object %}",
    "dictsort": "go through the names: {% for name in object %}",
    "currency": "use the filter: money('EUR')",
    "strftime": "use the filter: date('%d %B %Y')",
    "center": "lay it out with HTML",
    "indent": "lay it out with HTML",
    "wordwrap": "mail programs break lines themselves",
    "striptags": "values are always escaped",
    "random": "a message is the same each time it is rendered",
    "select": "use selectattr('name', 'eq', value)",
    "reject": "use rejectattr('name', 'eq', value)",
}
"""What to use in place of filters that people know from elsewhere."""
