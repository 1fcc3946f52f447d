// Lists the operations of openapi.json. All text is set as text, never as HTML.

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolve(schema, all) {
  return schema?.$ref ? all[schema.$ref.split("/").pop()] : schema ?? {};
}

function typeOf(schema, all) {
  if (schema?.$ref) return schema.$ref.split("/").pop();
  if (schema?.anyOf) return schema.anyOf.map((part) => typeOf(part, all)).join(" or ");
  if (schema?.type === "array") return `list of ${typeOf(schema.items, all)}`;
  if (schema?.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  return schema?.format ?? schema?.type ?? "any";
}

function table(heads, rows) {
  const made = element("table");
  made.append(element("tr", "", ...heads.map((head) => element("th", head))));
  for (const row of rows) {
    made.append(element("tr", "", ...row.map((cell, at) => element("td", "", at ? cell : element("code", cell)))));
  }
  return made;
}

function fields(schema, all) {
  const { properties = {}, required = [] } = resolve(schema, all);
  return table(
    ["field", "type", "meaning"],
    Object.entries(properties).map(([name, field]) => {
      const type = typeOf(field, all) + (required.includes(name) ? "" : ", optional");
      return [name, type, field.description ?? ""];
    }),
  );
}

function example(schema, all, depth = 0) {
  const whole = resolve(schema, all);
  if (whole.examples?.length) return whole.examples[0];
  if ("default" in whole) return whole.default;
  if (whole.properties && depth < 4) {
    return Object.fromEntries(
      Object.entries(whole.properties).map(([name, field]) => [name, example(field, all, depth + 1)]),
    );
  }
  if (whole.type === "array") {
    return whole.prefixItems ? whole.prefixItems.map((item) => example(item, all, depth + 1)) : [example(whole.items, all, depth + 1)];
  }
  return { number: 0, integer: 0, boolean: false, object: {}, string: "" }[whole.type] ?? null;
}

function operation(path, method, described, all) {
  const summary = element("summary", "", Object.assign(element("span", method.toUpperCase()), { className: "method" }));
  summary.append(element("code", path));
  const made = element("details", "", summary, element("p", described.description ?? described.summary));
  if (described.parameters?.length) {
    const rows = described.parameters.map(({ name, schema, description, required }) => [
      name,
      typeOf(schema, all) + (required ? "" : ", optional"),
      description ?? schema.description ?? "",
    ]);
    made.append(element("h3", "Parameters"), table(["name", "type", "meaning"], rows));
  }
  for (const [type, { schema }] of Object.entries(described.requestBody?.content ?? {})) {
    made.append(element("h3", `Body: ${type}`), fields(schema, all));
  }
  for (const [status, answer] of Object.entries(described.responses)) {
    if (!status.startsWith("2")) continue;
    for (const [type, { schema }] of Object.entries(answer.content ?? {})) {
      made.append(element("h3", `Answer ${status}: ${type}`));
      if (type === "application/json" && schema) {
        made.append(fields(schema, all), element("pre", JSON.stringify(example(schema, all), null, 2)));
      }
    }
  }
  return made;
}

const main = document.querySelector("#operations");
try {
  const api = await (await fetch("openapi.json")).json();
  document.querySelector("#about").textContent = api.info.description;
  const all = api.components.schemas;
  const sections = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = described.tags?.[0] ?? "other";
      if (!sections.has(tag)) sections.set(tag, element("section", "", element("h2", tag)));
      sections.get(tag).append(operation(path, method, described, all));
    }
  }
  main.append(...sections.values());
} catch {
  main.append(element("p", "Can't load the description. Is the server still running?"));
}
main.removeAttribute("aria-busy");
