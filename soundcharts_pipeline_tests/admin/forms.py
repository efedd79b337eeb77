"""A form of a page as a browser without scripts would fill it in and send it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """What would be sent: text fields, what is checked and selected, hidden fields."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def filled(self, step: str = "", **values: str | None) -> dict[str, str]:
        """With these values typed; None takes a mark off, `__` is the dot of a name. Empty fields are not sent."""
        typed = {name.replace("__", "."): value for name, value in values.items()}
        sent = self.fields | typed | ({"step": step} if step else {})
        return {name: value for name, value in sent.items() if value}


class Page(HTMLParser):
    """The forms of a page by their action, the ids there are, and what each control is labelled and described by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self.ids: list[str] = []
        self.described: list[str] = []
        self.controls: list[dict[str, str]] = []
        self.labelled: set[str] = set()
        self._form: Form | None = None
        self._select = ""
        self._in_label = False
        self.feed(text)

    def form(self, end_of_action: str) -> Form:
        (found,) = [form for action, form in self.forms.items() if action.endswith(end_of_action)]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.ids += [said["id"]] if "id" in said else []
        self.described += said.get("aria-describedby", "").split()
        if tag == "form":
            self._form = self.forms.setdefault(said.get("action", ""), Form(said.get("action", "")))
        elif tag == "label":
            self._in_label = True
            self.labelled.add(said.get("for", ""))
        elif tag in ("input", "select") and said.get("type") != "hidden":
            self.controls.append(said | {"in_label": "yes" if self._in_label else ""})
        self._take(tag, said)

    def _take(self, tag: str, said: dict[str, str]) -> None:
        if self._form is None:
            return
        if tag == "select":
            self._select = said["name"]
        elif tag == "option" and "selected" in said:
            self._form.fields[self._select] = said.get("value", "(its text)")
        elif tag == "input" and (said.get("type") != "checkbox" or "checked" in said):
            self._form.fields[said["name"]] = said.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "label":
            self._in_label = False

    @property
    def unlabelled(self) -> list[dict[str, str]]:
        """Controls that no label names."""
        return [one for one in self.controls if not one["in_label"] and one.get("id", "-") not in self.labelled]
