// The answer of the grant Implicit is in the fragment, which browsers do not send. This takes it out of the address bar at once and posts it.
"use strict";
(() => {
  const answer = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  if (!answer.has("state")) {
    document.getElementById("empty").hidden = false;
    return;
  }
  const form = document.createElement("form");
  form.method = "post";
  form.action = document.getElementById("fragment").dataset.target;
  for (const [name, value] of answer) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  HTMLFormElement.prototype.submit.call(form);
})();
