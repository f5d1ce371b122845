#!/usr/bin/env python3
"""Opens a report page in headless Chromium and checks that it works without network.

    page_check.py PAGE.html [SCREENSHOTS]

Checks: no console error, no request beyond the file itself, every figure drawn and named, pictures
decode, identifiers are unique, the verdict stands in the first screen, the threshold moves the numbers,
the table of clips is filtered and its rows open, charts and map answer to mouse and keyboard, a clip
plays, marks lie on the clips that have them and can be switched off, letters stand out from their
ground, nothing is wider than a phone. Writes screenshots at 1280 and 390 pixels, light and dark, into the folder SCREENSHOTS.
Needs Python alone: Chromium is spoken to through its debugging pipe, and installed with apt-get where
it is absent and that is possible.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

LIMIT_BYTES = 10_000_000
ANSWER_WITHIN_S = 60


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if os.geteuid() != 0:
        sys.exit("missing: chromium; install it and run again")
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    subprocess.run(install, env=environment, **quiet)
    return shutil.which("chromium") or sys.exit("chromium could not be installed")


class Browser:
    """A browser and one page of it, over the debugging pipe (messages end with a zero byte)."""

    def __init__(self, profile, flags=()):
        to_read, self.to_browser = os.pipe()
        self.from_browser, to_write = os.pipe()

        def hand_over_pipes():
            # Duplicates first: one of the pipe's own numbers may already be 3 or 4.
            reader, writer = os.dup(to_read), os.dup(to_write)
            os.dup2(reader, 3)
            os.dup2(writer, 4)

        self.process = subprocess.Popen(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio",
             "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             f"--user-data-dir={profile}", "--remote-debugging-pipe", *flags, "about:blank"],
            preexec_fn=hand_over_pipes, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.rest, self.events, self.next_id, self.session = b"", [], 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.to_browser, text):]
        while True:
            answer = self.receive(f"an answer to {method}")
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, what):
        while b"\0" not in self.rest:
            if not select.select([self.from_browser], [], [], ANSWER_WITHIN_S)[0]:
                raise RuntimeError(f"waited {ANSWER_WITHIN_S} s for {what}")
            part = os.read(self.from_browser, 1 << 20)
            if not part:
                raise RuntimeError(f"the browser ended before {what}")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script[:80]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, condition, within_s=20):
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if self.run(condition):
                return True
            time.sleep(0.05)
        return False

    def open(self, url, width, dark=False):
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        self.wait_for(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, name):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def screenshot(self, path):
        size = self.run("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(10)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Report:
    """What held and what did not."""

    def __init__(self):
        self.failures = 0

    def check(self, law, holds, found=""):
        self.failures += not holds
        print(f"{'ok' if holds else 'FAILED'}: {law}{'' if holds else f' ({found})'}")


UNNAMED = """[...document.querySelectorAll('figure')].filter(figure => {
  if (!figure.checkVisibility()) return false;
  const drawing = [...figure.querySelectorAll('svg.chart, canvas')].find(one => one.checkVisibility());
  const box = drawing?.getBoundingClientRect();
  return !drawing || box.width < 100 || box.height < 80 || !drawing.getAttribute('aria-label');
}).length + [...document.querySelectorAll('svg.chart')].filter(svg => !svg.getAttribute('aria-label')).length"""

UNDECODED = """Promise.all([...document.querySelectorAll('image, img')].map(async picture => {
  const image = new Image();
  image.src = picture.getAttribute('href') ?? picture.getAttribute('src');
  try { await image.decode(); return image.naturalWidth > 0 ? 0 : 1; } catch { return 1; }
})).then(bad => bad.reduce((a, b) => a + b, 0))"""

REPEATED = """(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at); })()"""

# A point of the map whose clip is shown with sound, and where it is on the canvas.
POINT = """(() => {
  const data = JSON.parse(document.getElementById('map-data').textContent);
  const canvas = document.getElementById('map-canvas');
  canvas.scrollIntoView({ block: 'center', behavior: 'instant' });
  const box = canvas.getBoundingClientRect(), span = 9999 * 1.06, scale = canvas.clientWidth / span;
  const has_sound = card => card !== null && document.querySelector(`#clip-${card} audio`);
  const point = data.cards.findIndex(has_sound);
  return point < 0 ? null : { name: data.names[point],
    x: box.x + canvas.clientLeft + (data.x[point] - 4999.5) * scale + canvas.clientWidth / 2,
    y: box.y + canvas.clientTop + (4999.5 - data.y[point]) * scale + canvas.clientHeight / 2 };
})()"""


def check_content(browser, report):
    figures = browser.run("document.querySelectorAll('figure').length")
    report.check(f"all {figures} figures are drawn and named", browser.run(UNNAMED) == 0, browser.run(UNNAMED))
    report.check("all pictures decode", browser.run(UNDECODED) == 0, browser.run(UNDECODED))
    report.check("identifiers are unique", browser.run(REPEATED) == [], browser.run(REPEATED))
    links = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length"
    report.check("every link inside the page leads somewhere", browser.run(links) == 0, browser.run(links))


# Visible text whose contrast with its ground is below 4.5 (3 of large letters), by the WCAG formula.
FAINT = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = element => { for (let at = element; at; at = at.parentElement) {
    const color = rgb(getComputedStyle(at).backgroundColor); if (color[3] > 250) return color; }
    return rgb('white'); };
  const faint = new Set();
  for (const element of document.querySelectorAll('body *:not(svg *):not(script):not(option)')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest('[aria-pressed="false"]')) continue;
    const style = getComputedStyle(element), [a, b] = [rgb(style.color), ground(element)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
    if (contrast < (size >= 24 || size >= 18.5 && style.fontWeight >= 700 ? 3 : 4.5))
      faint.add(`${element.className || element.tagName} ${contrast.toFixed(2)}`);
  }
  return [...faint];
})()"""


def check_verdict(browser, report):
    if not browser.run("document.getElementById('verdict') !== null"):
        print("skipped: the page has no verdict")
        return
    box = browser.run("document.getElementById('verdict').getBoundingClientRect().toJSON()")
    words = browser.run("document.querySelector('#verdict .headline').innerText")
    report.check(f"the verdict stands in the first screen: {words.strip()}", box["bottom"] < 900, box)
    icon = browser.run("document.querySelector('#verdict .headline svg').getAttribute('aria-label')")
    report.check("its icon has a name", bool(icon), icon)
    rows = browser.run("document.querySelectorAll('table.machines tbody tr').length")
    named = browser.run("new Set([...document.querySelectorAll('#clip-rows > li')].map(li => li.dataset.machine)).size")
    report.check("each machine has one row", rows >= named, (rows, named))


SHOWN = "[...document.querySelectorAll('#clip-rows > li')].filter(li => !li.hidden)"
NUMBERS = """[...document.querySelectorAll('#threshold-facts dd[id], table.machines td:is(.found, .false)')]
  .map(dd => dd.textContent).join('|')"""


def check_threshold(browser, report):
    slider = "document.getElementById('threshold-slider')"
    if not browser.run(f"{slider} !== null"):
        print("skipped: the page has no threshold")
        return
    before = browser.run(NUMBERS)
    full = browser.run("document.getElementById('t-recall')?.textContent")
    tags = browser.run("[...document.querySelectorAll('#clip-rows .tag')].map(tag => tag.textContent).join()")
    browser.run(f"{slider}.focus()")
    for _ in range(150):
        browser.key("ArrowRight")
    moved = browser.run(NUMBERS)
    report.check("the threshold moves by keyboard, and the numbers with it", moved != before, moved)
    recall = browser.run("document.getElementById('t-recall')?.textContent")
    report.check("recall falls as the threshold rises",
                 recall is None or float(recall) <= float(full), (full, recall))
    line = "getComputedStyle(document.querySelector('.strips')).getPropertyValue('--at')"
    at = browser.run(line)
    relabelled = browser.run("[...document.querySelectorAll('#clip-rows .tag')].map(tag => tag.textContent).join()")
    report.check("the decisions of clips follow", relabelled != tags)
    browser.run("document.getElementById('threshold-reset').click()")
    report.check("and back", browser.run(NUMBERS) == before and browser.run(line) != at, browser.run(NUMBERS))
    lane = browser.run("""(() => { const lane = document.querySelector('.strip .lane');
      lane.scrollIntoView({ block: 'center', behavior: 'instant' });
      const box = lane.getBoundingClientRect(), d = lane.querySelector('path.normal').getAttribute('d');
      return { x: box.x + box.width * Number(d.match(/M([\\d.]+)/)[1]) / 1000, y: box.y + 0.75 * box.height }; })()""")
    time.sleep(0.1)
    browser.mouse("mouseMoved", lane["x"], lane["y"])
    tip = browser.run("document.getElementById('strip-tip').hidden ? '' : document.getElementById('strip-tip').textContent")
    report.check("a stroke names its clip", "normal" in tip, tip)


def check_clips(browser, report):
    if not browser.run("document.querySelector('#clip-rows > li') !== null"):
        print("skipped: the page has no clips")
        return
    for kind in browser.run("[...document.querySelectorAll('#filters [data-outcome]')].map(b => b.dataset.outcome)"):
        button = f"document.querySelector('#filters [data-outcome=\"{kind}\"]')"
        browser.run(f"{button}.click()")
        told = browser.run(f"Number({button}.querySelector('b').textContent)")
        kinds = browser.run(f"[...new Set({SHOWN}.map(li => li.dataset.outcome))]")
        shown = browser.run(f"{SHOWN}.length")
        fits = all(kind in ("all", one) or kind == "mistakes" and one in ("missed", "false-alarm") for one in kinds)
        report.check(f"the filter '{kind}' shows {shown} of {told}", fits and shown == min(told, 25), (kinds, shown))
    browser.run("document.querySelector('#filters [data-outcome=all]').click()")
    name = browser.run("document.querySelector('#clip-rows > li:last-child .name').textContent")
    search = "document.getElementById('filter-text')"
    browser.run(f"{search}.value = {json.dumps(name)}; {search}.dispatchEvent(new Event('input'))")
    found = browser.run(f"{SHOWN}.map(li => li.querySelector('.name').textContent)")
    report.check("a name is found", name in found and len(found) < 25, found)
    browser.run(f"{search}.value = ''; {search}.dispatchEvent(new Event('input'))")
    browser.run("document.getElementById('filter-open').click()")
    summary = "document.querySelector('#clip-rows > li:not([hidden]) summary')"
    if browser.run(f"{summary} !== null"):
        browser.run(f"{summary}.focus()")
        browser.key("Enter")
        seen = f"{summary}.parentElement.querySelector('article svg.chart')?.getBoundingClientRect().width"
        report.check("a row opens by keyboard to its spectrogram", (browser.run(seen) or 0) > 200, browser.run(seen))
    browser.run("document.getElementById('filter-open').click()")


# The middle of the first line of a chart, in the middle of the screen.
PLACE = """(() => { for (const fold of document.querySelectorAll('section > details')) fold.open = true;
  const svg = [...document.querySelectorAll('svg[data-frame]')].find(one => one.checkVisibility() && one.querySelector('g[data-name]'));
  if (!svg) return null;
  svg.scrollIntoView({ block: 'center', behavior: 'instant' });
  const mark = svg.querySelector('g[data-name] > *'), at = mark.getPointAtLength(mark.getTotalLength() / 2);
  const on = new DOMPoint(at.x, at.y).matrixTransform(svg.getScreenCTM());
  return { x: on.x, y: on.y }; })()"""
CHART_TIP = "document.querySelector('figure .tip:not([hidden]):not(#map-tip)')?.textContent ?? ''"


def check_charts(browser, report):
    if browser.run(PLACE) is None:
        print("skipped: the page has no chart")
        return
    tip = ""
    for _ in range(10):  # what was unfolded may still be moving
        time.sleep(0.2)
        place = browser.run(PLACE)
        browser.mouse("mouseMoved", place["x"], place["y"])
        if tip := browser.run(CHART_TIP):
            break
    report.check("a chart answers to the pointer", any(letter.isdigit() for letter in tip), tip)


def check_map(browser, report):
    if not browser.run("document.getElementById('map-data') !== null"):
        print("skipped: the page has no map")
        return
    point = browser.run(POINT)
    if point is None:
        print("skipped: no clip of the map is shown with sound")
        return
    time.sleep(0.2)
    browser.mouse("mouseMoved", point["x"], point["y"])
    tip = browser.run("document.getElementById('map-tip').hidden ? '' : document.getElementById('map-tip').textContent")
    names = browser.run("JSON.parse(document.getElementById('map-data').textContent).names")
    report.check("hovering over the map names a clip", any(name in tip for name in names), tip)
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(kind, point["x"], point["y"], button="left", clickCount=1)
    panel = browser.run("document.querySelector('#map-panel h4')?.textContent")
    report.check("a click on the map shows the clip", panel in names, panel)
    plays = browser.wait_for("[...document.querySelectorAll('#map-panel audio')].some(a => a.currentTime > 0.05)")
    report.check("and plays its sound", plays or panel != point["name"])
    browser.run("document.getElementById('map-canvas').focus()")
    browser.key("ArrowRight")
    browser.key("ArrowDown")
    walked = browser.run("!document.getElementById('map-tip').hidden")
    browser.key("Enter")
    chosen = browser.run("document.querySelector('#map-panel h4')?.textContent")
    report.check("the map can be walked by keyboard", walked and chosen in names, chosen)
    browser.run("for (const color of document.getElementById('map-color').options) {"
                " document.getElementById('map-color').value = color.value;"
                " document.getElementById('map-color').dispatchEvent(new Event('change')); }")


def check_sound(browser, report):
    browser.run("for (const row of document.querySelectorAll('#clip-rows details')) row.open = true")
    if not browser.run("document.querySelector('article audio') !== null"):
        print("skipped: the page has no sound")
        return
    browser.run("document.querySelector('article audio').play()")
    plays = browser.wait_for("document.querySelector('article audio').currentTime > 0.05")
    report.check("a clip plays", plays)


def check_marks(browser, report):
    """What raises the score: drawn over the spectrogram, said in words, and switched off by its box."""
    if not browser.run("document.querySelector('article .marked') !== null"):
        print("skipped: no clip of the page is explained")
        return
    silent = """[...document.querySelectorAll('article.clip')].filter(clip =>
      clip.querySelector('.marked') && !/\\d+-\\d+ Hz/.test(clip.querySelector('.words')?.textContent ?? '')).length"""
    marked = browser.run("document.querySelectorAll('article .marked').length")
    report.check(f"words name a band in Hz for most of the {marked} marked clips",
                 browser.run(silent) <= marked / 2, browser.run(silent))
    shown = "getComputedStyle(document.querySelector('article .importance')).display"
    before = browser.run(shown)
    browser.run("document.querySelector('article:has(.importance) .toggle input').click()")
    after = browser.run(shown)
    browser.run("document.querySelector('article:has(.importance) .toggle input').click()")
    report.check("marks can be switched off and on", (before, after, browser.run(shown)) ==
                 ("inline", "none", "inline"), (before, after))


def troubles(browser, url):
    """Console errors and requests that went anywhere but to the file."""
    errors, requests = [], []
    for event in browser.events:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                errors.append(str([a.get("value") for a in params["args"]]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                errors.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                requests.append(params["request"]["url"])
    away = [r[:100] for r in requests if r.split("#")[0] != url and not r.startswith(("data:", "about:"))]
    return errors, away


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    page = pathlib.Path(sys.argv[1]).resolve(strict=True)
    url, report = page.as_uri(), Report()
    report.check("the page is under 10 MB", page.stat().st_size < LIMIT_BYTES, page.stat().st_size)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            browser.open(url, 1280)
            check_verdict(browser, report)
            check_content(browser, report)
            check_threshold(browser, report)
            check_clips(browser, report)
            check_charts(browser, report)
            check_map(browser, report)
            check_sound(browser, report)
            check_marks(browser, report)
            for width in (1280, 390):
                for dark in (False, True):
                    browser.open(url, width, dark)
                    wide = browser.run("document.documentElement.scrollWidth - innerWidth")
                    if not dark:
                        report.check(f"nothing is wider than {width} pixels", wide <= 0, wide)
                    faint = browser.run(FAINT)
                    scheme = "dark" if dark else "light"
                    report.check(f"letters stand out from their ground, {scheme}", not faint, faint[:8])
                    if len(sys.argv) == 3:
                        folder = pathlib.Path(sys.argv[2])
                        folder.mkdir(parents=True, exist_ok=True)
                        browser.screenshot(folder / f"{width}_{scheme}.png")
            errors, away = troubles(browser, url)
            report.check("no console error", not errors, errors[:5])
            report.check("no network request", not away, away[:5])
        finally:
            browser.close()
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
