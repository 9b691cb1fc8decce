"use strict";
// One hidden WebGL canvas draws every view and is copied into the view's own canvas, so there is no limit to their number.
(() => {
  const page = document.documentElement;
  const PROBE = location.hash === "#probe";
  page.dataset.drawn = "0";
  page.dataset.errors = "0";
  window.addEventListener("error", () => { page.dataset.errors = String(+page.dataset.errors + 1); });

  const VERTEX = `#version 300 es
    layout(location = 0) in vec3 position;
    layout(location = 1) in vec3 normal;
    layout(location = 2) in vec3 color;
    uniform mat3 turn;
    uniform vec4 lens; // x and y scale, distance of the camera, 1 where the vertex colour counts
    out vec3 n, c, eye;
    void main() {
      vec3 p = turn * (position * 2.0 - 1.0);
      n = turn * normal;
      c = mix(vec3(0.74, 0.75, 0.76), color, lens.w);
      eye = vec3(0.0, 0.0, lens.z) - p;
      float near = max(lens.z - 2.0, 0.02), far = lens.z + 2.0, z = p.z - lens.z;
      gl_Position = vec4(p.xy * lens.xy, ((far + near) * z + 2.0 * far * near) / (near - far), -z);
    }`;
  const FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 n, c, eye;
    uniform vec4 lens;
    out vec4 pixel;
    void main() {
      vec3 m = normalize(gl_FrontFacing ? n : -n), v = normalize(eye), l = normalize(vec3(0.35, 0.75, 0.65));
      vec3 base = pow(gl_FrontFacing ? c : vec3(0.70, 0.27, 0.20), vec3(2.2));
      float light = 0.30 + 0.16 * m.y + 0.58 * max(dot(m, l), 0.0) + 0.20 * max(dot(m, v), 0.0);
      float shine = 0.10 * pow(max(dot(m, normalize(l + v)), 0.0), 40.0);
      pixel = vec4(pow(base * light + shine, vec3(1.0 / 2.2)), 1.0);
    }`;

  const shared = document.createElement("canvas");
  const gl = shared.getContext("webgl2", { alpha: true, antialias: true });
  if (!gl) {
    document.querySelectorAll(".viewer").forEach((viewer) => {
      viewer.querySelectorAll(".bar, .views, .hint").forEach((part) => { part.style.display = "none"; });
      viewer.querySelector(".nogl").hidden = false;
    });
    page.dataset.webgl = "missing";
    return;
  }
  page.dataset.webgl = "ready";

  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  const TURN = gl.getUniformLocation(program, "turn"), LENS = gl.getUniformLocation(program, "lens");

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const buffer = (text, target) => {
    const made = gl.createBuffer();
    gl.bindBuffer(target, made);
    gl.bufferData(target, bytes(text), gl.STATIC_DRAW);
    return made;
  };

  function upload(view) {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    buffer(view.positions, gl.ARRAY_BUFFER);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.UNSIGNED_SHORT, true, 6, 0);
    buffer(view.normals, gl.ARRAY_BUFFER);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 3, gl.BYTE, true, 3, 0);
    buffer(view.indices, gl.ELEMENT_ARRAY_BUFFER);
    const layers = Object.fromEntries(Object.entries(view.layers).map(([k, text]) => [k, buffer(text, gl.ARRAY_BUFFER)]));
    return { array, layers, count: view.faces * 3, type: view.index_bytes === 2 ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT };
  }

  function draw(canvas, mesh, state) {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (!width || !height) return;
    if (shared.width !== width || shared.height !== height) { shared.width = width; shared.height = height; }
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.bindVertexArray(mesh.array);
    const colors = mesh.layers[state.layer];
    if (colors) {
      gl.bindBuffer(gl.ARRAY_BUFFER, colors);
      gl.enableVertexAttribArray(2);
      gl.vertexAttribPointer(2, 3, gl.UNSIGNED_BYTE, true, 3, 0);
    } else {
      gl.disableVertexAttribArray(2);
    }
    const [cy, sy, cp, sp] = [Math.cos(state.yaw), Math.sin(state.yaw), Math.cos(state.pitch), Math.sin(state.pitch)];
    gl.uniformMatrix3fv(TURN, false, [cy, sp * sy, -cp * sy, 0, cp, sp, sy, -sp * cy, cp * cy]);
    const focal = 3.4, fit = Math.min(1, width / height);
    gl.uniform4f(LENS, focal * fit * height / width, focal * fit, state.distance, colors ? 1 : 0);
    gl.drawElements(gl.TRIANGLES, mesh.count, mesh.type, 0);
    if (PROBE && !canvas.dataset.pixels) report(canvas, width, height);
    const paper = canvas.getContext("2d");
    paper.clearRect(0, 0, width, height);
    paper.drawImage(shared, 0, 0);
  }

  // With #probe in the address: how many pixels the first frame of a view covers.
  function report(canvas, width, height) {
    const pixels = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let covered = 0;
    for (let k = 3; k < pixels.length; k += 4) covered += pixels[k] > 0;
    canvas.dataset.pixels = String(covered);
    page.dataset.drawn = String(+page.dataset.drawn + 1);
  }

  
  function start(viewer) {
    const views = JSON.parse(viewer.querySelector("script").textContent);
    const span = views[0].span, canvases = [...viewer.querySelectorAll("canvas")], buttons = [...viewer.querySelectorAll("[data-layer]")];
    const legend = viewer.querySelector(".legend"), meshes = views.map(upload);
    const home = { yaw: viewer.dataset.yaw * Math.PI / 180, pitch: 0.35, distance: 3.0 * span };
    const state = { ...home, layer: buttons[0].dataset.layer };
    let waiting = false;
    const redraw = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; canvases.forEach((canvas, k) => draw(canvas, meshes[k], state)); });
    };
    const turn = (yaw, pitch) => {
      state.yaw += yaw;
      state.pitch = Math.max(-1.57, Math.min(1.57, state.pitch + pitch));
      redraw();
    };
    const zoom = (factor) => { state.distance = Math.max(1.3 * span, Math.min(14, state.distance * factor)); redraw(); };
    const choose = (layer) => {
      state.layer = layer;
      legend.hidden = layer !== "error";
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.layer === layer)));
      redraw();
    };
    buttons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.layer)));
    canvases.forEach((canvas) => listen(canvas, turn, zoom, () => { Object.assign(state, home); redraw(); }));
    new ResizeObserver(redraw).observe(viewer);
    choose(state.layer);
  }

  function listen(canvas, turn, zoom, reset) {
    const fingers = new Map();
    const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const before = fingers.size === 2 ? spread() : 0, [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (before) zoom(before / Math.max(spread(), 1));
      else turn(dx * 0.008, dy * 0.008);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("dblclick", reset);
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // an untouched view lets the page scroll
      event.preventDefault();
      zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.003));
    }, { passive: false });
    const keys = {
      ArrowLeft: () => turn(-0.12, 0), ArrowRight: () => turn(0.12, 0), ArrowUp: () => turn(0, -0.12),
      ArrowDown: () => turn(0, 0.12), "+": () => zoom(0.9), "=": () => zoom(0.9), "-": () => zoom(1.1), 0: reset,
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  document.querySelectorAll(".viewer").forEach(start);
})();
