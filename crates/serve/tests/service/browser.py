#!/usr/bin/env python3
"""Goes through the service's pages in a real browser, from set-up to an acknowledged alarm.

    browser.py URL FOLDER [PICTURES]

FOLDER has `normal-*.wav` to learn the machine `new` from, and `fault.wav`. Pictures at 1280 and 390 pixels,
light and dark, go into the folder PICTURES where one is named. Chromium is spoken to as `.ci/page_check.py` does.
"""

import json
import pathlib
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / ".ci"))
from page_check import Browser, Report  # noqa: E402

LEARNED_WITHIN_S = 240
ALARM_WITHIN_S = 60
SHOWN_WITHIN_S = 1.0
BADGE = "(document.querySelector('#state .state')?.textContent ?? '')"


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def upload(url, path):
    request = urllib.request.Request(url, data=path.read_bytes(), headers={"Content-Type": "audio/wav"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def choose_files(browser, selector, paths):
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])


def click(browser, selector):
    browser.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
    found = browser.run(f"(e => e && (e.click(), true))(document.querySelector({json.dumps(selector)}))")
    if not found:
        raise RuntimeError(f"nothing to click at {selector}")


def no_wider_than(browser, report, what):
    wide = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    report.check(f"{what} is not wider than the screen", wide <= 0, wide)


def record(browser, report, url):
    """Normal sound from the browser's microphone; removed again."""
    browser.open(f"{url}/#/machine/new", 1280)
    browser.wait_for("document.querySelector('[data-act=record]') !== null")
    click(browser, "[data-act=record]")
    time.sleep(4)
    click(browser, "[data-act=record]")
    count = "(document.querySelector('#normals')?.textContent ?? '')"
    report.check("the browser's microphone is recorded", browser.wait_for(f"{count}.startsWith('1 normal recording,')", 20), browser.run(count))
    seconds = get(f"{url}/api/machines/new/normals")["seconds"]
    report.check("the recording is as long as it took", 2 < seconds < 6, seconds)
    browser.run("[...document.querySelectorAll('#setup button')].find(b => b.textContent === 'Remove the recordings').click()")
    report.check("recordings are removed", browser.wait_for(f"{count}.startsWith('0 normal')"), browser.run(count))


def fault(browser, report, url):
    """What is called a fault is kept."""
    browser.run("window.prompt = () => 'bearing'")
    click(browser, "[data-kind='alarm.began'] [data-act=fault]")
    bank = "(document.querySelector('#bank')?.textContent ?? '')"
    report.check("a confirmed fault is kept with its name", browser.wait_for(f"{bank}.includes('bearing')"), browser.run(bank))


def set_up(browser, report, url, folder):
    browser.open(f"{url}/#/machine/new", 1280)
    report.check("a machine without a model says so", browser.wait_for(f"{BADGE}.includes('Not learned yet')"), browser.run(BADGE))
    recordings = sorted(folder.glob("normal-*.wav"))
    choose_files(browser, "#files", recordings)
    count = f"document.querySelector('#normals')?.textContent.startsWith('{len(recordings)} normal')"
    report.check(f"{len(recordings)} normal recordings are taken", browser.wait_for(count, 60), browser.run("document.querySelector('#normals')?.textContent"))
    browser.wait_for("!document.querySelector('#learn').disabled")
    browser.run("document.querySelector('#every').value = '0.5'")
    click(browser, "#learn")
    learned = "(document.querySelector('#learning')?.textContent ?? '')"
    done = browser.wait_for(f"/^(Learned|Not learned)/.test({learned})", LEARNED_WITHIN_S)
    report.check("the model is learned and promises something", done and browser.run(f"{learned}.startsWith('Learned')"), browser.run(learned))


def absent(browser, report, url):
    browser.open(f"{url}/#/machine/absent", 1280)
    told = "document.querySelector('main').textContent"
    report.check("of a machine that is not there the page says so", browser.wait_for(f"{told}.includes('cannot be shown')"), browser.run(told))
    browser.open("about:blank", 1280)


def self_test(browser, report, url, pictures):
    browser.open("about:blank", 1280)
    browser.open(f"{url}/#/machine/new", 1280)
    browser.wait_for("document.querySelector('[data-act=selftest]') !== null")
    click(browser, "[data-act=selftest]")
    charts = "document.querySelectorAll('#selftest svg.fault').length"
    report.check("the self-test shows which faults are found", browser.wait_for(f"{charts} > 2", 120), browser.run(charts))
    # Bars end where the numbers say: the share that alarms stands in the words of the picture.
    bars = """[...document.querySelectorAll('#selftest svg.fault')].every(chart => {
      const said = [...chart.getAttribute('aria-label').matchAll(/(\\d+) % at/g)].map(found => Number(found[1]));
      const drawn = [...chart.querySelectorAll('rect[fill="var(--mark)"]')].map(bar => Math.round(100 * bar.getAttribute('height') / 120));
      return said.length > 2 && said.length === drawn.length && said.every((share, at) => Math.abs(share - drawn[at]) <= 1);
    })"""
    report.check("its bars are as high as the shares", browser.run(bars))
    if pictures:
        for width in (1280, 390):
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            browser.run("document.querySelector('#selftest').scrollIntoView()")
            browser.screenshot(pictures / f"selftest-{width}.png")


def alarm(browser, report, url, folder, pictures):
    browser.open(f"{url}/#/machine/new?", 1280)
    browser.open(f"{url}/#/machine/new", 1280)
    browser.wait_for("document.getElementById('link').textContent === 'live'")
    upload(f"{url}/api/machines/new/sound", folder / "fault.wav")
    end = time.monotonic() + ALARM_WITHIN_S
    while time.monotonic() < end and get(f"{url}/api/machines/new")["view"]["phase"] != "active_unacknowledged":
        time.sleep(0.02)
    began = time.monotonic()
    shown = browser.wait_for(f"{BADGE}.includes('ALARM')", 10)
    delay = time.monotonic() - began
    report.check("the page turns to ALARM within a second, without reload", shown and delay <= SHOWN_WITHIN_S, f"{browser.run(BADGE)}, {delay:.2f} s")
    live = """(canvas => { if (!canvas || canvas.width < 2) return false; const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return new Set(d.filter((_, at) => at % 4 === 1)).size > 10; })(document.querySelector('#live'))"""
    report.check("its sound is drawn as it comes", browser.wait_for(live), browser.run("document.querySelector('#live-told')?.textContent"))
    sound = "document.querySelector('[data-kind=\"alarm.began\"] audio')"
    report.check("the alarm has its sound", browser.wait_for(f"{sound} !== null"))
    played = browser.run(f"{sound}.play().then(() => true, error => String(error))")
    report.check("its sound plays", played is True, played)
    browser.run(f"{sound}.pause()")
    browser.run("[...document.querySelectorAll('[data-kind=\"alarm.began\"] button')].find(b => b.textContent === 'Show spectrogram').click()")
    drawn = """(canvas => { if (!canvas || !canvas.width) return false; const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return new Set(d.filter((_, at) => at % 4 === 1)).size > 20; })(document.querySelector('[data-kind="alarm.began"] canvas'))"""
    report.check("its spectrogram is drawn", browser.wait_for(drawn))
    click(browser, "[data-kind='alarm.began'] [data-act=compare]")
    points = "document.querySelectorAll('[data-kind=\"alarm.began\"] svg.map circle, [data-kind=\"alarm.began\"] svg.map path').length"
    report.check("the map shows the alarm among the normal windows", browser.wait_for(f"{points} > 10", 60), browser.run(points))
    report.check("the nearest normal is marked", browser.run("document.querySelector('svg.map rect.nearest') !== null") is True)
    if pictures:
        for width in (1280, 390):
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            browser.run("document.querySelector('svg.map').scrollIntoView()")
            browser.screenshot(pictures / f"compared-{width}.png")
    budget = "document.querySelector('#budget').textContent"
    told = browser.wait_for(f"/may alarm falsely/.test({budget})", 10)
    report.check("the budget of false alarms is told beside what alarmed", told and browser.run(f"{budget}.includes('alarmed, true alarms included')"), browser.run(budget))
    normal = "document.querySelector('[data-kind=\"alarm.began\"] audio[src*=\"/normals/\"]')"
    report.check("the nearest normal has its sound", browser.wait_for(f"{normal} !== null"))
    heard = browser.run(f"{normal}.play().then(() => true, error => String(error))")
    report.check("the nearest normal plays", heard is True, heard)
    browser.run(f"{normal}.pause()")
    report.check("the score is drawn", browser.wait_for("document.querySelector('#chart svg path') !== null"))


def acknowledge(browser, report, url):
    click(browser, "[data-act=acknowledge]")
    seen = browser.wait_for(f"{BADGE}.includes('acknowledged')")
    report.check("the alarm is acknowledged from the page", seen, browser.run(BADGE))
    events = get(f"{url}/api/machines/new/events")
    who = [event["who"] for event in events if event["kind"] == "alarm.acknowledged"]
    report.check("who acknowledged is kept", who == ["this computer"], who)
    others = {m["name"]: m["view"]["phase"] for m in get(f"{url}/api/machines") if m["name"] != "new"}
    report.check("the other machines are calm", set(others.values()) == {"normal"}, others)


def overview(browser, report, url):
    browser.open(f"{url}/", 1280)
    cards = browser.wait_for("document.querySelectorAll('.card').length === 8")
    report.check("all machines are shown", cards, browser.run("document.querySelectorAll('.card').length"))
    first = browser.run("document.querySelector('.card')?.dataset.machine")
    report.check("the one that needs somebody comes first", first == "new", first)
    browser.run("document.querySelector('.skip').focus()")
    for _ in range(3):
        browser.key("Tab")
    reached = browser.run("document.activeElement.classList.contains('card') || document.activeElement.className")
    report.check("cards are reached by keyboard", reached is True, reached)


def looks(browser, report, url, pictures):
    for width in (1280, 390):
        for dark in (False, True):
            for name, path in (("all", "/"), ("machine", "/#/machine/new")):
                browser.open("about:blank", width, dark)
                browser.open(f"{url}{path}", width, dark)
                browser.wait_for("document.querySelector('.card, #chart svg') !== null")
                time.sleep(0.5)
                no_wider_than(browser, report, f"page {name} at {width} pixels")
                if pictures:
                    shade = "dark" if dark else "light"
                    browser.screenshot(pictures / f"{name}-{width}-{shade}.png")


def main():
    url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    pictures = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    report = Report()
    with tempfile.TemporaryDirectory() as profile:
        # A microphone that beeps, and nobody who has to allow it.
        browser = Browser(profile, ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"))
        try:
            record(browser, report, url)
            set_up(browser, report, url, folder)
            absent(browser, report, url)
            self_test(browser, report, url, pictures)
            alarm(browser, report, url, folder, pictures)
            acknowledge(browser, report, url)
            fault(browser, report, url)
            overview(browser, report, url)
            looks(browser, report, url, pictures)
            asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
            outside = [address for address in asked if not address.startswith((url, "blob:", "data:", "about:"))]
            report.check("nothing is loaded from elsewhere", not outside, outside)
            problems = [e["params"] for e in browser.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]
            report.check("the console has no errors", not [p for p in problems if p.get("entry", {}).get("level", "error") == "error" and not p.get("entry", {}).get("url", "").endswith("/absent")], problems)
        finally:
            browser.close()
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
