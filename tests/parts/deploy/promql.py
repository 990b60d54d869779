"""What a PromQL expression asks for, and which labels its result can carry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    BinModifier,
    Call,
    Expr,
    LabelModifierType,
    Matcher,
    MatchOp,
    MatrixSelector,
    StringLiteral,
    VectorMatchCardinality,
    VectorSelector,
)

NOTHING = frozenset[str]()


@dataclass(frozen=True)
class Series:
    """Series of one name; `kind` is counter, bucket or gauge.

    A label without a list of values can have any.
    """

    kind: str
    labels: Mapping[str, Sequence[str]]


Measured = Mapping[str, Series]


def parse(expression: str) -> Expr:
    """Parse, or raise ValueError."""
    return promql_parser.parse(expression)


def parts(expression: Expr) -> list[Expr]:
    """Return the expression and everything inside it."""
    found: list[Expr] = []
    promql_parser.walk(expression, found.append)
    return found


def selectors(expression: Expr) -> list[VectorSelector]:
    """Return all selectors of an expression."""
    inside = parts(expression)
    ranges = [part.vector_selector for part in inside if isinstance(part, MatrixSelector)]
    return [*ranges, *(part for part in inside if isinstance(part, VectorSelector))]


def impossible(selector: VectorSelector, measured: Measured) -> list[str]:
    """Return the matchers by which nothing can be found: a label or a value that is not there."""
    own = measured[str(selector.name)].labels
    return [
        f"{selector.name}{{{matcher.name}={matcher.value}}}"
        for matcher in selector.matchers.matchers
        if matcher.name not in own or (own[matcher.name] and not _fits(matcher, own[matcher.name]))
    ]


def _fits(matcher: Matcher, values: Sequence[str]) -> bool:
    literal = matcher.op not in (MatchOp.Re, MatchOp.NotRe)
    pattern = re.escape(matcher.value) if literal else matcher.value
    return any(re.fullmatch(pattern, value) for value in values)


def names(expression: Expr) -> set[str]:
    """Return the names of the series that an expression reads."""
    return {str(selector.name) for selector in selectors(expression)}


def labels(expression: Expr, measured: Measured) -> frozenset[str]:
    """Return the labels that the result can carry."""
    match expression:
        case VectorSelector(name=name):
            return frozenset(measured[str(name)].labels)
        case MatrixSelector(vector_selector=selector):
            return labels(selector, measured)
        case AggregateExpr():
            return _aggregated(expression, labels(expression.expr, measured))
        case Call(func=function, args=arguments):
            inside = NOTHING.union(*(labels(each, measured) for each in arguments))
            return _called(function.name, arguments, inside)
        case BinaryExpr(lhs=left, rhs=right):
            return _joined(expression, labels(left, measured), labels(right, measured))
    inner = getattr(expression, "expr", None)
    return labels(inner, measured) if isinstance(inner, Expr) else NOTHING


def _aggregated(expression: AggregateExpr, inside: frozenset[str]) -> frozenset[str]:
    modifier = expression.modifier
    if str(expression.op) in {"topk", "bottomk"}:
        return inside  # it chooses, and changes nothing
    if modifier is None:
        return NOTHING
    if modifier.type == AggModifierType.Without:
        return inside - set(modifier.labels)
    return frozenset(modifier.labels)


def _called(function: str, arguments: list[Expr], inside: frozenset[str]) -> frozenset[str]:
    if function == "histogram_quantile":
        return inside - {"le"}
    if function in {"label_replace", "label_join"}:
        made = arguments[1]
        assert isinstance(made, StringLiteral)
        return inside | {made.val}
    return inside


def _joined(expression: BinaryExpr, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    if str(expression.op) in {"and", "unless"}:
        return left
    modifier = expression.modifier
    if str(expression.op) == "or" or modifier is None or modifier.matching is None:
        return left | right
    return _matched(modifier, left, right)


def _matched(modifier: BinModifier, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """Return the labels of a join by some labels only: those, or all of the side that is many."""
    if modifier.card == VectorMatchCardinality.ManyToOne:
        return left | set(modifier.group_labels or ())
    if modifier.card == VectorMatchCardinality.OneToMany:
        return right | set(modifier.group_labels or ())
    assert modifier.matching is not None
    named = frozenset(modifier.matching.labels)
    return named if modifier.matching.type == LabelModifierType.Include else left - named
