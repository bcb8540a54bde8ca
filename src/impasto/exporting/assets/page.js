"use strict";

const find = (id) => document.getElementById(id);
const read = (id) => JSON.parse(find(id).textContent);
const facts = read("facts");
const SIDES = [256, 384, 512, 768, 1024];
const LIVE = 100; // milliseconds that a picture of the running camera may take
const state = { source: null, name: "", style: 0, engine: null, asked: 0, painting: false,
  again: false, opening: false, stream: null, measured: [] };

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

function complain(text) {
  find("problem").textContent = text;
  find("problem").hidden = !text;
}

// With spaces at which no line breaks.
const time = (ms) => (ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}\u00a0ms` : `${(ms / 1000).toFixed(1)}\u00a0s`);
const sides = (width, height) => `${width}\u00a0×\u00a0${height}`;

// ---- what is on the page from the start

function dress() {
  find("title").textContent = facts.title;
  const first = facts.styles[0].picture;
  if (first) Object.assign(find("thumbnail"), { src: first, hidden: false });
  if (facts.result) Object.assign(find("example"), { src: facts.result, hidden: false });
  if (facts.licence) Object.assign(find("licence"), { textContent: facts.licence, hidden: false });
  const choices = [...new Set([...SIDES, facts.side])].sort((a, b) => a - b);
  for (const side of choices) find("side").add(new Option(`${side} px`, side));
  find("side").value = facts.side;
  if (facts.styles.length < 2) return;
  find("styles").hidden = false;
  facts.styles.forEach(({ name, picture }, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    if (picture) button.append(Object.assign(new Image(), { src: picture, alt: "" }));
    button.append(Object.assign(document.createElement("span"), { textContent: name }));
    button.onclick = () => chooseStyle(number);
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const count = facts.styles.length;
      chooseStyle((number + step + count) % count);
      find("styles").children[state.style].focus();
    };
    find("styles").append(button);
  });
  chooseStyle(0);
}

function chooseStyle(number) {
  state.style = number;
  [...find("styles").children].forEach((button, i) => {
    button.setAttribute("aria-checked", i === number);
    button.tabIndex = i === number ? 0 : -1;
  });
  const { picture } = facts.styles[number];
  if (picture) find("thumbnail").src = picture;
  repaint();
}

// ---- the worker

const code = new Blob([find("worker").textContent], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(code));
const waiting = new Map();

worker.onmessage = ({ data }) => {
  if (data.kind === "ready") return started(data);
  if (data.kind === "failed" && data.id === undefined) {
    find("said").textContent = "";
    return complain(`This browser cannot run the network: ${data.message}.`);
  }
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.kind === "failed") reject(new Error(data.message));
  else resolve(data);
};
worker.onerror = (event) => complain(`This browser cannot run the network: ${event.message}`);

function ask(pixels, width, height) {
  const id = ++state.asked;
  const strength = find("strength").value / 100;
  worker.postMessage({ kind: "paint", id, pixels, width, height, style: state.style, strength,
    engine: state.engine }, [pixels.buffer]);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

// engines: the quickest first.
function started({ engines, refused, size }) {
  const best = engines[0].kind;
  state.engine = best;
  state.measured = engines;
  const choice = find("engine");
  choice.replaceChildren(...engines.map(({ kind }) => new Option(kind, kind)));
  choice.value = best;
  choice.disabled = engines.length < 2;
  const list = find("measured");
  const row = (kind, text) => {
    list.append(Object.assign(document.createElement("dt"), { textContent: kind }),
      Object.assign(document.createElement("dd"), { textContent: text }));
  };
  for (const { kind, milliseconds } of engines)
    row(kind, `${time(milliseconds)} for ${sides(...size)}${kind === best && engines.length > 1 ? ", the quickest here" : ""}`);
  for (const { kind, why } of refused) row(kind, `not used: ${why}`);
  find("said").textContent = `Ready: ${best} paints ${sides(...size)} in ${time(engines[0].milliseconds)} here.`;
  document.body.dataset.ready = best;
  repaint();
}

// ---- pictures

function fitted(width, height, side) {
  const share = side / Math.max(width, height);
  return [Math.max(1, Math.round(width * share)), Math.max(1, Math.round(height * share))];
}

function pixelsOf(source, width, height) {
  const canvas = find("before");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  // In halves: a browser's own scaling leaves steps when it shrinks a lot.
  let from = source;
  let [w, h] = sizeOf(source);
  while (w > 2 * width && h > 2 * height) {
    [w, h] = [w >> 1, h >> 1];
    const half = Object.assign(document.createElement("canvas"), { width: w, height: h });
    const pen = half.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(from, 0, 0, w, h);
    from = half;
  }
  context.drawImage(from, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

const sizeOf = (source) => [source.videoWidth || source.width, source.videoHeight || source.height];

function showStage() {
  const focused = find("empty").contains(document.activeElement); // which goes away
  find("empty").hidden = true;
  find("frame").hidden = find("buttons").hidden = false;
  layOut();
  if (focused) find("split").focus();
}

// As large as the stage allows, which is no taller than the picture where all stands in one column.
function layOut() {
  const [width, height] = [find("before").width, find("before").height];
  const stage = find("stage");
  stage.style.height = "";
  const style = getComputedStyle(stage);
  const room = [stage.clientWidth - 2 * parseFloat(style.paddingLeft), stage.clientHeight - 2 * parseFloat(style.paddingTop)];
  const share = Math.min(room[0] / width, room[1] / height);
  Object.assign(find("frame").style, { width: `${Math.round(width * share)}px`, height: `${Math.round(height * share)}px` });
  if (matchMedia("(max-width: 800px)").matches) stage.style.height = "auto";
}

function showSplit() {
  const share = Number(find("split").value);
  find("after").style.clipPath = `inset(0 0 0 ${share}%)`;
  find("divider").style.left = `${share}%`;
  find("split").setAttribute("aria-valuetext", `${share} % photograph`);
  document.querySelector(".tag.left").hidden = share < 20;
  document.querySelector(".tag.right").hidden = share > 80;
}

async function paintOnce(source, side) {
  const [width, height] = fitted(...sizeOf(source), side);
  const pixels = pixelsOf(source, width, height);
  showStage();
  const asked = state.engine;
  const answer = await ask(pixels, width, height);
  // It failed, and another one painted: that one goes on.
  if (answer.engine !== asked && state.engine === asked)
    find("engine").value = state.engine = answer.engine;
  const after = find("after");
  Object.assign(after, { width, height });
  after.getContext("2d").putImageData(new ImageData(answer.pixels, width, height), 0, 0);
  find("said").textContent = `${sides(width, height)} painted in ${time(answer.milliseconds)} by ${answer.engine}.`;
  complain("");
}

// Paints what is there; what is asked for meanwhile is painted once, afterwards.
async function repaint() {
  if (!state.engine || !state.source || state.stream) return;
  if (state.painting) return void (state.again = true);
  state.painting = true;
  find("busy").hidden = false;
  try {
    do {
      state.again = false;
      await paintOnce(state.source, Number(find("side").value));
      find("download").disabled = false;
    } while (state.again && !state.stream);
  } catch (error) {
    complain(`That did not work: ${error.message}. A smaller size needs less memory.`);
  }
  find("busy").hidden = true;
  state.painting = false;
}

async function open(file) {
  if (!file) return;
  try {
    state.source = await createImageBitmap(file);
  } catch {
    return complain(`${file.name || "That"} is no picture that this browser can read.`);
  }
  stopCamera();
  state.name = (file.name || "picture").replace(/\.[^.]*$/, "");
  complain("");
  repaint();
}

function download() {
  find("after").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${state.name} - ${facts.styles[state.style].name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

// ---- the camera

const REFUSALS = {
  NotAllowedError: "the browser did not allow it. Allow the camera for this page in its settings",
  NotFoundError: "there is none on this device",
  NotReadableError: "another program uses it",
};

// As large as the engine is quick, by what was measured at 256 px; never larger than what is chosen.
function liveSide() {
  const own = state.measured.find(({ kind }) => kind === state.engine);
  const side = 16 * Math.round((256 * Math.sqrt(LIVE / own.milliseconds)) / 16);
  return Math.min(Math.max(side, 192), Number(find("side").value));
}

async function startCamera() {
  if (state.stream) return stopCamera();
  if (state.opening) return; // the browser asks its user already
  if (!navigator.mediaDevices)
    return complain("The camera cannot be used: this browser gives it only to pages from https or, in some, from disk.");
  state.opening = true;
  try {
    state.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch (error) {
    return complain(`The camera cannot be used: ${REFUSALS[error.name] || error.message}.`);
  } finally {
    state.opening = false;
  }
  const video = find("video");
  video.srcObject = state.stream;
  await video.play();
  complain("");
  showCamera(true);
  while (state.stream) {
    try {
      if (state.engine && !state.painting) await paintOnce(video, liveSide());
    } catch (error) {
      complain(`That did not work: ${error.message}.`);
      stopCamera();
    }
    await new Promise(requestAnimationFrame);
  }
}

function showCamera(on) {
  if (document.activeElement === find("shutter")) find("camera").focus();
  find("shutter").hidden = !on;
  find("download").hidden = on;
  find("camera").textContent = on ? "Stop the camera" : "Use the camera";
}

function stopCamera() {
  if (!state.stream) return;
  state.stream.getTracks().forEach((track) => track.stop());
  state.stream = null;
  showCamera(false);
  repaint();
}

async function takePicture() {
  state.source = await createImageBitmap(find("video"));
  state.name = "camera";
  stopCamera();
}

// ---- what people do

for (const button of document.querySelectorAll(".choose")) button.onclick = () => find("file").click();
for (const button of document.querySelectorAll(".camera")) button.onclick = startCamera;
find("file").onchange = ({ target }) => { open(target.files[0]); target.value = ""; };
find("shutter").onclick = takePicture;
find("download").onclick = download;
find("split").oninput = showSplit;
find("side").onchange = repaint;
find("engine").onchange = ({ target }) => { state.engine = target.value; repaint(); };
find("strength").oninput = ({ target }) => {
  find("strength-said").textContent = `${target.value} %`;
  repaint();
};
addEventListener("resize", () => find("frame").hidden || layOut());
addEventListener("paste", ({ clipboardData }) => open([...clipboardData.files][0]));
addEventListener("dragover", (event) => { event.preventDefault(); find("stage").classList.add("over"); });
addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || find("stage").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  find("stage").classList.remove("over");
  open([...event.dataTransfer.files][0]);
});

dress();
showSplit();
const packed = bytesOf(find("network").textContent);
find("network").textContent = "";
worker.postMessage({ kind: "start", packed, plan: read("plan"), modules: read("modules").map(bytesOf) }, [packed.buffer]);
find("said").textContent = "Measuring what paints quickest here…";
