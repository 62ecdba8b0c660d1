// Appended to a copy of a report: what a browser makes of it, as JSON in <pre id="measured">.
addEventListener("load", () => {
  const root = document.documentElement;
  const found = { sideways: root.scrollWidth - root.clientWidth, outside: [], overlapping: [] };
  const slack = 1.5;
  const inside = (inner, outer) =>
    inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;
  for (const element of document.querySelectorAll("main, section, table, td, dl, dd, summary, pre, p, h1")) {
    if (element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1) {
      found.outside.push(element.tagName + ": " + element.textContent.slice(0, 60));
    }
  }
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")];
    for (const text of texts) {
      if (!inside(text.getBoundingClientRect(), frame)) found.outside.push("svg: " + text.textContent);
    }
    for (const host of svg.querySelectorAll("g.host")) {
      const box = host.querySelector("rect").getBoundingClientRect();
      for (const text of host.querySelectorAll("text")) {
        if (!inside(text.getBoundingClientRect(), box)) found.outside.push("host: " + text.textContent);
      }
    }
    texts.forEach((one, at) => texts.slice(at + 1).forEach((other) => {
      const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Line boxes of neighbouring lines touch; letters do not unless a third of the height is shared.
      if (wide > slack && high > Math.min(a.height, b.height) / 3) {
        found.overlapping.push(one.textContent + " | " + other.textContent);
      }
    }));
  }
  found.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  found.drawings = document.querySelectorAll("svg").length;
  found.ladders = document.querySelectorAll("svg.ladder").length;
  found.arrows = document.querySelectorAll("svg.ladder path.request, svg.ladder path.reply").length;
  found.rewritten = [...document.querySelectorAll("tspan.new")].map((span) => span.textContent);
  found.bars = [...document.querySelectorAll(".bars div")].map((bar) => Math.round(bar.getBoundingClientRect().width));
  found.text = document.body.innerText;
  const pre = document.createElement("pre");
  pre.id = "measured";
  pre.textContent = JSON.stringify(found);
  document.body.append(pre);
});
