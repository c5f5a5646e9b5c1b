"""From a query string to a `ReadRequest`, or to a refusal that names the parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from colonnade.core.errors import MalformedQueryError
from colonnade.models.facts import ColumnFacts, Kind
from colonnade.policy.access import Access, Permit
from colonnade.query.boolean import read_tree
from colonnade.query.filters import MAX_VALUES, Filter, read_condition
from colonnade.query.paging import PAGING, read_paging
from colonnade.query.refusals import refuse_parameter, refuse_unknown
from colonnade.query.request import WHOLE, Condition, Count, Group, ReadRequest, SortKey, View, leaves
from colonnade.query.search import read_search
from colonnade.query.values import UnreadableError, read_value

MAX_PARAMETERS = 100
MAX_INCLUDES = 10
MAX_NARROWED = 1_000

_VIEW = frozenset({"fields", "include"})
_VIEW_OF_ALL = _VIEW | {"deleted"}
COUNTS: tuple[Count, ...] = ("exact", "estimated", "none")


@dataclass(frozen=True, slots=True)
class ViewRules:
    """What may be asked of a row.

    Attributes:
        keys: that it has.
        includes: relations that may be shown beside them.
        deleted: whether rows that are deleted softly may be asked for.
    """

    keys: frozenset[str]
    includes: frozenset[str] = frozenset()
    deleted: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The parameters that ask for more or less of it."""
        return _VIEW_OF_ALL if self.deleted else _VIEW

    def narrowed(self, access: Access) -> ViewRules:
        """Give what may be asked by those who do not see everything: as if there were nothing else."""
        keys = frozenset(key for key in self.keys if access.sees(key))
        return ViewRules(keys, frozenset(path for path in self.includes if access.reads_path(path)), self.deleted)


@dataclass(frozen=True, slots=True)
class ListRules:
    """What a list may be asked for.

    Attributes:
        view: of each row.
        filters: parameter name -> what it filters by; `role` and `role__eq` are two names of one filter.
        sorts: fields that may be sorted by.
        default_sort: the order when none is asked for.
        search: fields in which `q` is looked for.
        words: `q` is looked for by the words of those fields, which the model indexes.
        page_size: rows of a page when none is asked for.
        names: parameters that it takes.
        plain: those of them that no filter has.
    """

    view: ViewRules
    filters: Mapping[str, Filter]
    sorts: frozenset[str]
    default_sort: tuple[SortKey, ...]
    page_size: int = 10
    search: tuple[str, ...] = ()
    words: bool = False
    names: frozenset[str] = field(init=False)
    plain: frozenset[str] = field(init=False)
    _narrowed: dict[Access, ListRules] = field(init=False, default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        own = PAGING | self.view.names | {"count", "sort", "sort_by", "order"}
        trees = {"filter"} if self.filters else set()
        words = {"q"} if self.search else set()
        object.__setattr__(self, "names", own | trees | words | set(self.filters))
        object.__setattr__(self, "plain", own - self.filters.keys())

    def of(self, permit: Permit | None) -> ListRules:
        """Give what somebody may ask for: what is not seen on every row can't be asked by, as if it were not there."""
        if permit is None:
            return self
        found = self._narrowed.get(permit.access)
        if found is None:
            if len(self._narrowed) >= MAX_NARROWED:
                del self._narrowed[next(iter(self._narrowed))]
            found = self._narrowed[permit.access] = self._narrow(permit.access)
        return found

    def _narrow(self, access: Access) -> ListRules:
        search = tuple(key for key in self.search if access.sees_path(key))
        return replace(
            self,
            view=self.view.narrowed(access),
            filters={name: rule for name, rule in self.filters.items() if access.sees_path(rule.field)},
            sorts=frozenset(key for key in self.sorts if access.sees(key)),
            default_sort=tuple(key for key in self.default_sort if access.sees(key.field)),
            search=search,
            # An index by words does not tell in which of its fields a word stands.
            words=self.words and search == self.search,
        )


def parse_query(query: bytes) -> dict[str, str]:
    """Split a query string.

    Args:
        query: as the server gives it, without the question mark.

    Raises:
        MalformedQueryError: CLN100, not UTF-8 (RFC 3986 §2.5), or more than 100 parameters.
        InvalidParameterError: CLN200, a parameter that stands twice.
    """
    try:
        pairs = _split(query)
    except UnicodeDecodeError:
        raise MalformedQueryError("The query string is not UTF-8.") from None
    if len(pairs) > MAX_PARAMETERS:
        raise MalformedQueryError(f"The query string has more than {MAX_PARAMETERS} parameters.")
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        refuse_parameter(
            next(name for name in names if names.count(name) > 1), "repeated", "The parameter stands twice."
        )
    return found


def _split(query: bytes) -> list[tuple[str, str]]:
    """Give names and values, of one parameter more at most than there may be."""
    if b"%" in query or b"+" in query:
        escaped = [part.partition(b"=") for part in query.split(b"&", MAX_PARAMETERS + 1) if part]
        return [(_unescape(name), _unescape(value)) for name, _, value in escaped]
    # Nearly every query is plain text, and decoded at once.
    parts = [part.partition("=") for part in query.decode().split("&", MAX_PARAMETERS + 1) if part]
    return [(name, value) for name, _, value in parts]


def _unescape(text: bytes) -> str:
    """Decode one name or value of `application/x-www-form-urlencoded` (https://url.spec.whatwg.org/#urlencoded-parsing)."""
    return unquote_to_bytes(text.replace(b"+", b" ")).decode()


def parse_list(query: bytes, rules: ListRules, permit: Permit | None = None) -> ReadRequest:
    """Read the query string of a list.

    Args:
        query: as the server gives it.
        rules: what may be asked for, by those who have the permit.
        permit: of whoever asks; None where nothing is hidden from them.

    Raises:
        MalformedQueryError: CLN100, bad UTF-8, two paging modes at once, or filters of more than 500 values in all.
        InvalidParameterError: CLN200, an unknown or repeated parameter or a value that does not fit.
    """
    found = parse_query(query) if query else {}
    if not rules.names.issuperset(found):
        refuse_unknown(found.keys() - rules.names)
    paging, walk = read_paging(found, rules.page_size)
    return ReadRequest(
        conditions=() if rules.plain.issuperset(found) else _bounded(tuple(_conditions(found, rules))),
        sort=_sort(found, rules),
        paging=paging,
        count=_count(found, "exact" if walk is None else "none"),
        view=_view(found, rules.view, permit),
        walk=walk,
    )


def parse_view(query: bytes, rules: ViewRules, permit: Permit | None = None) -> View:
    """Read the query string of a single row.

    Args:
        query: as the server gives it.
        rules: what may be asked for; narrowed here to what those may who have the permit.
        permit: of whoever asks; None where nothing is hidden from them.

    Raises:
        MalformedQueryError: CLN100, bad UTF-8.
        InvalidParameterError: CLN200, an unknown or repeated parameter, field or relation.
    """
    if not query:
        return WHOLE if permit is None else View(permit=permit)
    found = parse_query(query)
    if unknown := found.keys() - rules.names:
        refuse_unknown(unknown)
    return _view(found, rules if permit is None else rules.narrowed(permit.access), permit)


def _view(found: Mapping[str, str], rules: ViewRules, permit: Permit | None) -> View:
    if rules.names.isdisjoint(found):  # of a dict it looks at the few keys, not at all the names
        return WHOLE if permit is None else View(permit=permit)
    includes = _names(found, "include", rules.includes, MAX_INCLUDES)
    # A nested relation brings the one that it hangs on.
    whole = sorted({*includes, *(path.partition(".")[0] for path in includes)})
    shown = rules.keys | {path for path in whole if "." not in path}
    fields = _names(found, "fields", shown, len(shown))
    deleted = _choice(found, "deleted", ("include", "only")) if "deleted" in found else "hide"
    return View(fields, tuple(whole), deleted, permit)  # type: ignore[arg-type]  # one of those it was given


def _names(found: Mapping[str, str], name: str, allowed: frozenset[str], most: int) -> tuple[str, ...]:
    if name not in found:
        return ()
    names = found[name].split(",")
    # One text for a hidden and for an unknown name.
    if not allowed.issuperset(names):
        refuse_parameter(name, f"{name}_unknown", f"Expected some of: {', '.join(sorted(allowed)) or 'none'}.")
    if len(set(names)) != len(names) or len(names) > most:
        refuse_parameter(name, f"{name}_repeated", f"At most {most} names, each once.")
    return tuple(sorted(names))


def refuse_parameters(query: bytes) -> None:
    """Refuse any parameter where a route takes none: an unknown one never widens or narrows a result silently."""
    if query and (found := parse_query(query)):
        refuse_unknown(found.keys())


def read_switch(query: bytes, name: str, *, allowed: bool) -> bool:
    """Read the only parameter that a route takes, `true` or `false`; false when it is not there.

    Args:
        query: the whole of it.
        name: of the parameter.
        allowed: whether the route takes it at all.

    Raises:
        InvalidParameterError: CLN200, another parameter, or another value.
    """
    found = parse_query(query) if query else {}
    if unknown := found.keys() - ({name} if allowed else set()):
        refuse_unknown(unknown)
    return bool(found) and _choice(found, name, ("false", "true")) == "true"


def _conditions(found: Mapping[str, str], rules: ListRules) -> Iterator[Condition | Group]:
    for name, text in found.items():
        if name in rules.filters:
            try:
                yield read_condition(rules.filters[name], text)
            except UnreadableError as error:
                refuse_parameter(name, error.code, error.message)
    if "filter" in found:
        yield read_tree(found["filter"], rules.filters)
    if "q" in found:
        yield read_search(found["q"], rules.search, words=rules.words)


def _bounded(conditions: tuple[Condition | Group, ...]) -> tuple[Condition | Group, ...]:
    if sum(len(leaf.values) for leaf in leaves(conditions)) > MAX_VALUES:
        raise MalformedQueryError(f"The filters have more than {MAX_VALUES} values in all.")
    return conditions


def _sort(found: Mapping[str, str], rules: ListRules) -> tuple[SortKey, ...]:
    if "sort" in found:
        if "sort_by" in found or "order" in found:
            raise MalformedQueryError("Give 'sort', or 'sort_by' and 'order', not both.")
        keys = [SortKey(item.removeprefix("-"), item.startswith("-")) for item in found["sort"].split(",")]
        return _allowed("sort", keys, rules)
    if "sort_by" in found or "order" in found:
        field = found.get("sort_by", "created_at")
        return _allowed("sort_by", [SortKey(field, _choice(found, "order", ("desc", "asc")) == "desc")], rules)
    return rules.default_sort


def _allowed(name: str, keys: list[SortKey], rules: ListRules) -> tuple[SortKey, ...]:
    fields = [key.field for key in keys]
    # One text for a hidden and for an unknown field: the refusal must not tell which columns exist.
    if not rules.sorts.issuperset(fields):
        refuse_parameter(name, "sort_unknown", f"Sort by one of: {', '.join(sorted(rules.sorts))}.")
    if len(set(fields)) != len(fields):
        refuse_parameter(name, "sort_repeated", "A field stands twice.")
    return tuple(keys)


def _count(found: Mapping[str, str], default: Count) -> Count:
    text = found.get("count", default)
    if text not in COUNTS:
        refuse_parameter("count", "not_a_choice", f"Expected one of: {', '.join(COUNTS)}.")
    return text


def _choice(found: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = found.get(name, choices[0])
    if text not in choices:
        refuse_parameter(name, "not_a_choice", f"Expected one of: {', '.join(choices)}.")
    return text


def read_id(column: ColumnFacts, text: str) -> object:
    """Read an id of a path (S8): for integers, digits only, from 1 to what the column can hold.

    Raises:
        InvalidParameterError: CLN200.
    """
    # Nearly every id is one of these, and far below any bound.
    if column.kind is Kind.INTEGER and len(text) < 10 and text.isascii() and text.isdigit() and text[0] != "0":
        return int(text)
    try:
        value = read_value(column, text)
    except UnreadableError as error:
        refuse_parameter(column.key, error.code, error.message)
    if isinstance(value, int) and (value < 1 or text[0] == "0"):
        refuse_parameter(column.key, "out_of_range", "Expected a whole number from 1.")
    return value
