// The only script of a report. It stands inside the page, and the page's policy allows this text alone, by its sum.
// It loads nothing, sends nothing, and makes no markup out of what it reads: names are shown by the page itself.
(function () {
  "use strict";

  // Codes of values: 0 to TOP_CODE are steps of the square root of a value, NO_VALUE stands for none.
  const TOP_CODE = 254;
  const NO_VALUE = 255;
  // Pixels of a screen.
  const PLOT_MARGIN = { left: 48, right: 10, top: 10, bottom: 24 };
  const PLOT_ASPECT = 0.7;
  const MARK_RADIUS = 6;
  const TICK_LENGTH = 4;
  const TICKS = 5;
  // How the curves differ where colours do not.
  const DASHES = { LR: [2, 3], fused: [], truth: [6, 4] };

  // ------------------------------------------------------------------------------------------------ the language

  // The reader's browser chooses; the two buttons of the page, which work without any script, overrule it.
  function chooseLanguage() {
    const english = document.getElementById("language-en");
    const chinese = document.getElementById("language-zh");
    if (!english || !chinese) {
      return;
    }
    if ((navigator.language || "").toLowerCase().startsWith("zh")) {
      chinese.checked = true;
    }
    function tellTheBrowser() {
      document.documentElement.lang = chinese.checked ? "zh-CN" : "en";
    }
    english.addEventListener("change", tellTheBrowser);
    chinese.addEventListener("change", tellTheBrowser);
    tellTheBrowser();
  }

  // ------------------------------------------------------------------------------------------------ the cubes

  // One of the three cubes: its picture in colour, and its codes, a band after the other.
  function readCube(figure) {
    const text = atob(figure.dataset.values);
    const codes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index += 1) {
      codes[index] = text.charCodeAt(index);
    }
    return {
      key: figure.dataset.cube,
      rows: Number(figure.dataset.rows),
      columns: Number(figure.dataset.columns),
      image: figure.querySelector("img"),
      codes: codes,
      // The picture of the band that was drawn last.
      drawnBand: -1,
      drawn: null,
    };
  }

  // A band as a grey picture. The codes are as bright as a screen has to be.
  function bandPicture(cube, band) {
    if (cube.drawnBand === band) {
      return cube.drawn;
    }
    const canvas = document.createElement("canvas");
    canvas.width = cube.columns;
    canvas.height = cube.rows;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(cube.columns, cube.rows);
    const count = cube.rows * cube.columns;
    for (let index = 0; index < count; index += 1) {
      const code = cube.codes[band * count + index];
      pixels.data[4 * index] = code;
      pixels.data[4 * index + 1] = code;
      pixels.data[4 * index + 2] = code;
      // What holds no value is not drawn.
      pixels.data[4 * index + 3] = code === NO_VALUE ? 0 : 255;
    }
    context.putImageData(pixels, 0, 0);
    cube.drawn = canvas;
    cube.drawnBand = band;
    return canvas;
  }

  // The line (row or column) of a cube at a place from 0 to 1.
  function lineAt(place, lines) {
    return Math.min(lines - 1, Math.floor(place * lines));
  }

  // The same line in the whole image, of which the page has only some: each is the middle of what it stands for.
  function wholePlace(place, lines, all) {
    return Math.floor((lineAt(place, lines) + 0.5) * all / lines);
  }

  // The values of the pixel at a place, which counts from 0 to 1 along both axes; null where there is none.
  function spectrumAt(cube, place, layout) {
    const row = lineAt(place.y, cube.rows);
    const column = lineAt(place.x, cube.columns);
    const count = cube.rows * cube.columns;
    return layout.positions.map(function (_, band) {
      const code = cube.codes[band * count + row * cube.columns + column];
      if (code === NO_VALUE) {
        return null;
      }
      const share = code / TOP_CODE;
      return layout.low[band] + layout.span[band] * share * share;
    });
  }

  // ------------------------------------------------------------------------------------------------ the spectrum

  // Round numbers that divide a range into about TICKS parts.
  function ticksOf(low, high) {
    const rough = (high - low) / TICKS;
    const power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].find(function (factor) { return factor * power >= rough; }) * power;
    const ticks = [];
    for (let index = Math.ceil(low / step); index * step <= high * (1 + 1e-9); index += 1) {
      ticks.push(Number((index * step).toPrecision(6)));
    }
    return ticks;
  }

  // Make a canvas as fine as the screen and return its context, which counts in the page's pixels.
  function contextOf(canvas, width, height) {
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    return context;
  }

  function drawSpectrum(canvas, spectra, layout, band) {
    const width = canvas.parentElement.clientWidth;
    const height = Math.round(width * PLOT_ASPECT);
    canvas.style.height = height + "px";
    const context = contextOf(canvas, width, height);
    // The colours of the page, light or dark.
    const style = getComputedStyle(canvas);
    const ink = style.color;
    const quiet = style.getPropertyValue("--strong-rule").trim();

    const known = [].concat.apply([], spectra.map(function (item) { return item.values; }))
      .filter(function (value) { return value !== null; });
    let bottom = Math.min(0, ...known);
    let top = Math.max(bottom, ...known);
    if (top <= bottom) {
      top = bottom + 1;
    }
    top += 0.05 * (top - bottom);
    const first = layout.positions[0];
    const last = layout.positions[layout.positions.length - 1];
    const reach = last > first ? last - first : 1;

    function across(position) {
      const room = width - PLOT_MARGIN.left - PLOT_MARGIN.right;
      return PLOT_MARGIN.left + room * (last > first ? (position - first) / reach : 0.5);
    }
    function down(value) {
      const room = height - PLOT_MARGIN.top - PLOT_MARGIN.bottom;
      return height - PLOT_MARGIN.bottom - room * (value - bottom) / (top - bottom);
    }

    context.clearRect(0, 0, width, height);
    context.font = "11px sans-serif";
    context.fillStyle = ink;
    context.strokeStyle = quiet;
    context.lineWidth = 1;
    const floor = height - PLOT_MARGIN.bottom;
    context.beginPath();
    context.moveTo(PLOT_MARGIN.left, PLOT_MARGIN.top);
    context.lineTo(PLOT_MARGIN.left, floor);
    context.lineTo(width - PLOT_MARGIN.right, floor);
    context.textAlign = "center";
    context.textBaseline = "top";
    ticksOf(first, first + reach).forEach(function (tick) {
      context.moveTo(across(tick), floor);
      context.lineTo(across(tick), floor + TICK_LENGTH);
      context.fillText(String(tick), across(tick), floor + TICK_LENGTH + 2);
    });
    context.textAlign = "right";
    context.textBaseline = "middle";
    ticksOf(bottom, top).forEach(function (tick) {
      context.moveTo(PLOT_MARGIN.left - TICK_LENGTH, down(tick));
      context.lineTo(PLOT_MARGIN.left, down(tick));
      context.fillText(String(tick), PLOT_MARGIN.left - TICK_LENGTH - 3, down(tick));
    });
    context.stroke();

    // Where the band that is shown stands.
    if (band >= 0) {
      context.beginPath();
      context.moveTo(across(layout.positions[band]), PLOT_MARGIN.top);
      context.lineTo(across(layout.positions[band]), floor);
      context.stroke();
    }

    context.lineWidth = 2;
    spectra.forEach(function (item) {
      context.strokeStyle = style.getPropertyValue("--line-" + item.key).trim();
      context.setLineDash(DASHES[item.key] || []);
      context.beginPath();
      let drawing = false;
      item.values.forEach(function (value, index) {
        if (value === null) {
          // A gap.
          drawing = false;
        } else if (drawing) {
          context.lineTo(across(layout.positions[index]), down(value));
        } else {
          context.moveTo(across(layout.positions[index]), down(value));
          drawing = true;
        }
      });
      context.stroke();
    });
    context.setLineDash([]);
  }

  // ------------------------------------------------------------------------------------------------ the viewer

  function startViewer(viewer) {
    const layout = JSON.parse(viewer.dataset.layout);
    const cubes = Array.from(viewer.querySelectorAll("figure[data-values]")).map(readCube);
    const byKey = {};
    cubes.forEach(function (cube) { byKey[cube.key] = cube; });
    const find = function (name) { return viewer.querySelector("[data-part='" + name + "']"); };
    const picture = find("picture");
    const plot = find("plot");
    const bandSlider = find("band");
    const dividerSlider = find("divider");
    // Where the spectrum is taken; the middle of the picture at first.
    const place = { x: 0.5, y: 0.5 };

    function chosen(side) {
      return byKey[viewer.querySelector("input[data-side='" + side + "']:checked").value];
    }

    // The band that the slider stands at; -1 for colour, where it stands at first.
    function shownBand() {
      return Number(bandSlider.value) - 1;
    }

    function imageOf(cube) {
      return shownBand() < 0 ? cube.image : bandPicture(cube, shownBand());
    }

    function drawPicture() {
      const width = picture.parentElement.clientWidth;
      const height = Math.round(width * layout.height / layout.width);
      picture.style.height = height + "px";
      const context = contextOf(picture, width, height);
      // Pixels stay pixels: what is coarse should look it.
      context.imageSmoothingEnabled = false;
      const divider = width * Number(dividerSlider.value) / Number(dividerSlider.max);
      context.clearRect(0, 0, width, height);
      context.drawImage(imageOf(chosen("left")), 0, 0, width, height);
      context.save();
      context.beginPath();
      context.rect(divider, 0, width - divider, height);
      context.clip();
      context.clearRect(divider, 0, width - divider, height);
      context.drawImage(imageOf(chosen("right")), 0, 0, width, height);
      context.restore();
      // White on black is seen on any picture.
      [["#000", 4], ["#fff", 2]].forEach(function (line) {
        context.strokeStyle = line[0];
        context.lineWidth = line[1];
        context.beginPath();
        context.moveTo(divider, 0);
        context.lineTo(divider, height);
        context.stroke();
        context.beginPath();
        context.arc(place.x * width, place.y * height, MARK_RADIUS, 0, 2 * Math.PI);
        context.stroke();
      });
    }

    function drawReading() {
      const spectra = cubes.map(function (cube) {
        return { key: cube.key, values: spectrumAt(cube, place, layout) };
      });
      const band = shownBand();
      // That of the pixel whose values are shown: one of those that are in the page.
      const finest = cubes[cubes.length - 1];
      find("row").textContent = String(wholePlace(place.y, finest.rows, layout.height));
      find("column").textContent = String(wholePlace(place.x, finest.columns, layout.width));
      find("colour").hidden = band >= 0;
      find("position").hidden = band < 0;
      if (band >= 0) {
        find("position").textContent = (layout.positions[band] + " " + layout.unit).trim();
      }
      spectra.forEach(function (item) {
        const value = band < 0 ? null : item.values[band];
        find("value-" + item.key).textContent = value === null ? "" : value.toPrecision(3);
      });
      drawSpectrum(plot, spectra, layout, band);
    }

    function draw() {
      drawPicture();
      drawReading();
    }

    // What the pointer is over is read; while its button is held it takes the divider along.
    function follow(event) {
      const box = picture.getBoundingClientRect();
      place.x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      place.y = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
      if (event.buttons & 1) {
        dividerSlider.value = String(Math.round(place.x * Number(dividerSlider.max)));
      }
      draw();
    }

    // Arrow keys go from pixel to pixel of the finest cube.
    function step(event) {
      const finest = cubes[cubes.length - 1];
      const moves = {
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, -1],
        ArrowDown: [0, 1],
      };
      const move = moves[event.key];
      if (!move) {
        return;
      }
      event.preventDefault();
      // The middle of the last pixel is as far as it goes.
      place.x = Math.min(1 - 0.5 / finest.columns, Math.max(0, place.x + move[0] / finest.columns));
      place.y = Math.min(1 - 0.5 / finest.rows, Math.max(0, place.y + move[1] / finest.rows));
      draw();
    }

    picture.addEventListener("pointermove", follow);
    picture.addEventListener("pointerdown", follow);
    picture.addEventListener("keydown", step);
    bandSlider.addEventListener("input", draw);
    dividerSlider.addEventListener("input", draw);
    viewer.querySelectorAll("input[data-side]").forEach(function (input) {
      input.addEventListener("change", draw);
    });
    window.addEventListener("resize", draw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

    find("tool").hidden = false;
    find("pictures").hidden = true;
    // The pictures are part of the page, but decoding them may take a moment.
    Promise.all(cubes.map(function (cube) { return cube.image.decode(); })).then(draw, draw);
    draw();
  }

  chooseLanguage();
  document.querySelectorAll(".viewer").forEach(startViewer);
})();
