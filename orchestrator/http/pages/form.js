// Puts a form behind the <script> element that loads this file. No cookies, no dependencies.
(function () {
  "use strict";
  var form = __FORM__;
  var here = document.currentScript;
  var asked = chosen(here.getAttribute("data-lang") || document.documentElement.lang || navigator.language || "");

  // One locale for the whole form, which is told: the consent ledger keeps the wording that was shown.
  function chosen(tag) {
    for (tag = tag.toLowerCase(); tag; tag = tag.replace(/-?[^-]*$/, "")) {
      for (var n = 0; n < form.locales.length; n += 1) {
        if (form.locales[n].toLowerCase() === tag) { return form.locales[n]; }
      }
    }
    return form.locales[0] || "en";
  }
  function said(words) {
    for (var tag = asked; tag; tag = tag.replace(/-?[^-]*$/, "")) {
      if (words[tag]) { return words[tag]; }
    }
    return words["default"] || words[Object.keys(words)[0]] || "";
  }
  function our(key) {
    return form.words[/^zh/i.test(asked) ? "zh" : "en"][key];
  }
  function make(name, attributes, text) {
    var element = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      if (attributes[key] !== false && attributes[key] != null) {
        element.setAttribute(key, attributes[key] === true ? "" : attributes[key]);
      }
    });
    if (text) { element.textContent = text; }
    return element;
  }

  var once = Math.random().toString(36).slice(2) + Date.now().toString(36);
  var root = make("form", { "class": "orchestrator-form", method: "post", action: form.action });
  if (said(form.title)) { root.appendChild(make("h2", {}, said(form.title))); }
  if (said(form.intro)) { root.appendChild(make("p", {}, said(form.intro))); }

  var inputs = { email: "email", phone: "tel", date: "date" };
  form.fields.forEach(function (field) {
    if (field.type === "hidden") { return; }
    var line = make("p");
    var label = make("label");
    var name = said(field.label) + (field.required || field.type === "checkbox" ? "" : " (" + our("optional") + ")");
    var input;
    if (field.type === "choice") {
      input = make("select", { name: field.name, required: field.required });
      input.appendChild(make("option", { value: "" }, our("choose")));
      Object.keys(field.options).forEach(function (value) {
        input.appendChild(make("option", { value: value }, said(field.options[value]) || value));
      });
    } else if (field.type === "long_text") {
      input = make("textarea", { name: field.name, required: field.required, maxlength: field.longest });
    } else if (field.type === "checkbox") {
      input = make("input", { name: field.name, type: "checkbox", required: field.required });
    } else {
      input = make("input", {
        name: field.name, type: inputs[field.type] || "text", required: field.required, maxlength: field.longest,
        inputmode: field.type === "number" ? "decimal" : field.type === "integer" ? "numeric" : null
      });
    }
    if (field.type === "checkbox") {
      label.appendChild(input);
      label.appendChild(document.createTextNode(" " + name));
    } else {
      label.appendChild(document.createTextNode(name));
      label.appendChild(make("br"));
      label.appendChild(input);
    }
    line.appendChild(label);
    line.appendChild(make("span", { "class": "orchestrator-wrong", role: "alert", "data-of": field.name }));
    root.appendChild(line);
  });
  form.boxes.forEach(function (box) {
    var line = make("p");
    var label = make("label");
    label.appendChild(make("input", { name: "consent." + box.topic, type: "checkbox", required: box.required }));
    label.appendChild(document.createTextNode(" " + said(box.wording)));
    line.appendChild(label);
    line.appendChild(make("span", { "class": "orchestrator-wrong", role: "alert", "data-of": "consent." + box.topic }));
    root.appendChild(line);
  });
  var trap = make("p", { "aria-hidden": "true", style: "position:absolute;left:-9999px" });
  var trapped = make("label", {}, our("trap"));
  trapped.appendChild(make("input", { name: form.trap, tabindex: "-1", autocomplete: "off" }));
  trap.appendChild(trapped);
  root.appendChild(trap);
  var button = make("button", {}, said(form.button) || our("button"));
  root.appendChild(button);
  var note = make("p", { "class": "orchestrator-note", role: "status" });
  root.appendChild(note);
  here.parentNode.insertBefore(root, here.nextSibling);

  function wrong(errors) {
    Array.prototype.forEach.call(root.querySelectorAll("[data-of]"), function (place) {
      place.textContent = errors[place.getAttribute("data-of")] || "";
    });
  }

  root.addEventListener("submit", function (event) {
    event.preventDefault();
    var page = location.origin + location.pathname;
    var told = { once: once, url: page, lang: asked, next: here.getAttribute("data-next"), consents: [] };
    form.fields.forEach(function (field) {
      var input = root.elements[field.name];
      if (field.type === "hidden") {
        var given = here.getAttribute("data-" + field.name.replace(/_/g, "-"));
        if (!field.fixed && given) { told[field.name] = given; }
      } else {
        told[field.name] = field.type === "checkbox" ? input.checked : input.value;
      }
    });
    form.boxes.forEach(function (box) {
      if (root.elements["consent." + box.topic].checked) { told.consents.push(box.topic); }
    });
    told[form.trap] = root.elements[form.trap].value;
    button.disabled = true;
    note.textContent = "";
    fetch(form.action, {
      method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify(told)
    }).then(function (answer) {
      return answer.json();
    }).then(function (answer) {
      wrong(answer.errors || {});
      if (!answer.ok) {
        note.textContent = answer.message || our("failed");
        button.disabled = false;
      } else if (answer.redirect) {
        location.assign(answer.redirect);
      } else {
        root.textContent = "";
        root.appendChild(make("p", { role: "status" }, answer.message + (answer.confirm ? " " + answer.confirm : "")));
      }
    }).catch(function () {
      note.textContent = our("failed");
      button.disabled = false;
    });
  });
}());
