// Fills the filters and the table from the api. The filters are in the address: a view can be shared.

const form = document.querySelector("form");
const summary = document.querySelector("#summary");
const body = document.querySelector("#figures tbody");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en");

async function get(path) {
  const response = await fetch(`/api${path}`);
  if (!response.ok) throw new Error(`/api${path} answered ${response.status}`);
  return response.json();
}

function fill(select, entries) {
  for (const [value, name] of entries) select.add(new Option(name, value));
  select.value = new URLSearchParams(location.search).get(select.name) ?? "";
  if (select.selectedIndex < 0) select.value = "";
}

function cell(text, className = "", title = "") {
  const td = document.createElement("td");
  Object.assign(td, { textContent: text, className, title });
  return td;
}

function row(figure, names, most) {
  const tr = document.createElement("tr");
  const views = cell(short.format(figure.views), "number views", exact.format(figure.views));
  views.style.setProperty("--share", (figure.views / most).toFixed(3));
  tr.append(
    cell(names.region.get(figure.region)),
    cell(names.category.get(figure.category)),
    cell(exact.format(figure.channels), "number"),
    cell(short.format(figure.subscribers), "number", exact.format(figure.subscribers)),
    cell(exact.format(figure.videos), "number"),
    views,
  );
  return tr;
}

function show(figures, names) {
  const wanted = Object.fromEntries(new FormData(form));
  const shown = figures.filter((figure) =>
    ["region", "category"].every((key) => !wanted[key] || figure[key] === wanted[key]));
  const most = Math.max(1, ...shown.map((figure) => figure.views));
  body.replaceChildren(...shown.map((figure) => row(figure, names, most)));

  const total = (key) => shown.reduce((sum, figure) => sum + figure[key], 0);
  summary.textContent =
    `${exact.format(total("channels"))} channels, ${short.format(total("views"))} views`;

  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

try {
  const [regions, categories, figures] = await Promise.all(
    ["/regions", "/categories", "/statistics"].map(get));
  const names = {
    region: new Map(regions.map(({ code, name }) => [code, name])),
    category: new Map(categories.map(({ slug, name }) => [slug, name])),
  };
  fill(form.elements.region, names.region);
  fill(form.elements.category, names.category);
  form.addEventListener("change", () => show(figures, names));
  show(figures, names);
} catch (error) {
  summary.className = "failed";
  summary.textContent = `The figures cannot be loaded: ${error.message}`;
}
