"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const audio = byId("audio"), play = byId("play"), seek = byId("seek"), head = byId("head"), now = byId("now");
  const main = document.querySelector("main"), search = byId("search"), found = byId("found"), follow = byId("follow");
  const duration = Number(document.body.dataset.duration);
  const turns = [...document.querySelectorAll(".turn")];
  const words = [...document.querySelectorAll(".w")].map((node) => ({
    node, start: Number(node.dataset.s), end: Number(node.dataset.e),
  }));
  const wordOf = new Map(words.map((word) => [word.node, word]));
  const inTime = [...words].sort((a, b) => a.start - b.start);
  const EPSILON = 0.001; // seconds: players round the position they are given

  // --- Time ---------------------------------------------------------------------------------------------------------

  function clock(seconds) {
    const whole = Math.floor(seconds), parts = [Math.floor(whole / 60) % 60, whole % 60];
    if (duration >= 3600) parts.unshift(Math.floor(whole / 3600));
    return parts.map((part, i) => (i ? String(part).padStart(2, "0") : part)).join(":");
  }

  function lastStarted(time) {
    let low = 0, high = inTime.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inTime[middle].start <= time + EPSILON) low = middle + 1; else high = middle;
    }
    return inTime[low - 1];
  }

  let spoken = null, here = null, following = true, position = 0;

  function show(time) {
    position = time;
    now.textContent = clock(time);
    seek.value = time;
    head.style.left = `${duration ? Math.min(100, (100 * time) / duration) : 0}%`;
    const last = lastStarted(time);
    const word = last && time < last.end ? last : null;
    if (word !== spoken) {
      spoken?.node.classList.remove("spoken");
      word?.node.classList.add("spoken");
      spoken = word;
    }
    const turn = last ? last.node.closest(".turn") : null;
    if (turn !== here) {
      here?.classList.remove("here");
      turn?.classList.add("here");
      here = turn;
    }
    if (following && word && !audio.paused) keepInView(word.node);
  }

  function keepInView(node) {
    const box = node.getBoundingClientRect();
    const top = document.querySelector("header").getBoundingClientRect().bottom;
    if (box.top < top + 20 || box.bottom > innerHeight * 0.8) node.scrollIntoView({ block: "center" });
  }

  function setFollowing(on) {
    following = on;
    follow.hidden = on || audio.paused;
  }

  function goTo(time) {
    time = Math.min(Math.max(0, time), duration);
    if (audio.readyState > 0) audio.currentTime = time; else wanted = time;
    setFollowing(true);
    show(time);
  }

  let wanted = null; // a position asked for before the audio was there
  audio.addEventListener("loadedmetadata", () => {
    byId("choose").hidden = true;
    if (wanted !== null) audio.currentTime = wanted;
    wanted = null;
  });

  // --- Playing ------------------------------------------------------------------------------------------------------

  const toggle = () => (audio.paused ? audio.play().catch(() => {}) : audio.pause());

  function tick() {
    if (audio.paused) return;
    show(audio.currentTime);
    requestAnimationFrame(tick);
  }
  audio.addEventListener("play", () => {
    play.setAttribute("aria-pressed", "true");
    setFollowing(true);
    tick();
  });
  for (const event of ["pause", "ended"]) audio.addEventListener(event, () => {
    play.setAttribute("aria-pressed", "false");
    follow.hidden = true;
  });
  for (const event of ["seeked", "timeupdate"]) audio.addEventListener(event, () => show(audio.currentTime));
  const ask = () => { byId("choose").hidden = false; };
  audio.addEventListener("error", ask);
  if (!audio.hasAttribute("src") || audio.error) ask();
  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    wanted = position;
    audio.src = URL.createObjectURL(file);
  });
  play.addEventListener("click", toggle);
  seek.addEventListener("input", () => goTo(Number(seek.value)));
  byId("speed").addEventListener("change", (event) => { audio.playbackRate = Number(event.target.value); });
  follow.addEventListener("click", () => {
    setFollowing(true);
    if (spoken ?? here) keepInView((spoken?.node ?? here));
  });
  for (const event of ["wheel", "touchmove"]) addEventListener(event, () => { if (!audio.paused) setFollowing(false); }, { passive: true });

  main.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const word = wordOf.get(event.target.closest(".w"));
    if (word && getSelection().isCollapsed) goTo(word.start);
    const time = event.target.closest(".time");
    if (time) fromHash(time.hash);
    const chip = event.target.closest(".chip");
    if (chip) choose(chip);
  });

  function fromHash(hash) {
    const match = /^#t=(\d+(?:\.\d+)?)$/.exec(hash);
    if (!match) return;
    goTo(Number(match[1]));
    if (here) keepInView(here);
  }
  addEventListener("hashchange", () => fromHash(location.hash));

  // --- Speakers -----------------------------------------------------------------------------------------------------

  function choose(chip) {
    const on = chip.getAttribute("aria-pressed") !== "true";
    for (const other of document.querySelectorAll(".chip")) other.setAttribute("aria-pressed", String(on && other === chip));
    main.classList.toggle("only", on);
    for (const turn of turns) turn.classList.toggle("chosen", on && turn.dataset.speaker === chip.dataset.speaker);
  }

  // --- Search -------------------------------------------------------------------------------------------------------

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/g, " ");
  let index = null, hits = [], current = -1;

  function indexed() { // each paragraph's folded text, and the word of each of its characters
    index ??= turns.map((turn) => {
      let text = "";
      const owners = [];
      for (const node of turn.querySelector("p").childNodes) {
        const piece = fold(node.textContent);
        const word = wordOf.get(node);
        text += piece;
        for (let i = 0; i < piece.length; i += 1) owners.push(word);
      }
      return { text, owners };
    });
    return index;
  }

  function find() {
    for (const hit of hits) for (const word of hit) word.node.classList.remove("hit", "now");
    hits = [];
    current = -1;
    const query = fold(search.value.trim());
    if (query) for (const { text, owners } of indexed()) {
      for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) {
        hits.push([...new Set(owners.slice(at, at + query.length).filter(Boolean))]);
      }
    }
    for (const hit of hits) for (const word of hit) word.node.classList.add("hit");
    found.value = query ? found.dataset.none : "";
    if (hits.length) step(1);
  }

  function step(by) {
    if (!hits.length) return;
    for (const word of hits[current] ?? []) word.node.classList.remove("now");
    current = (current + by + hits.length) % hits.length;
    for (const word of hits[current]) word.node.classList.add("now");
    found.value = `${current + 1} / ${hits.length}`;
    if (!audio.paused) setFollowing(false);
    keepInView(hits[current][0].node);
  }

  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Enter that ends an input method's composition
    if (event.key === "Enter") {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      search.value = "";
      find();
      search.blur();
    }
  });

  // --- Keys ---------------------------------------------------------------------------------------------------------

  function paragraph(by) {
    const at = here ? turns.indexOf(here) : -1;
    const turn = turns[Math.min(Math.max(0, at + by), turns.length - 1)];
    if (!turn) return;
    goTo(Number(turn.querySelector(".w").dataset.s));
    keepInView(turn);
  }

  const KEYS = {
    " ": toggle,
    "/": () => search.focus(),
    ArrowLeft: () => goTo(position - 5),
    ArrowRight: () => goTo(position + 5),
    ArrowUp: () => paragraph(-1),
    ArrowDown: () => paragraph(1),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.matches("input:not([type=range]), select")) return;
    if (event.key === " " && event.target.matches("button, a, label")) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  show(0);
  fromHash(location.hash);
})();
