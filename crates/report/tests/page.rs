//! Laws of the page: self-contained, safe, complete, small, the same for the same data.

use std::{collections::BTreeSet, sync::LazyLock};

use offkey_report::{
    PageData,
    page::{TrialRow, figure_tables},
    render,
};

#[path = "../examples/example_page/data.rs"]
mod data;

fn example() -> PageData {
    static EXAMPLE: LazyLock<PageData> =
        LazyLock::new(|| data::example_page(4).expect("the example's own numbers are valid"));
    EXAMPLE.clone()
}

/// Values of all attributes of this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    let ends = |rest: &'a str| rest.split('"').next().unwrap_or(rest);
    html.split(&opening).skip(1).map(ends).collect()
}

#[test]
fn the_page_needs_no_other_file() {
    let html = render(&example());
    let outside = |value: &&&str| !value.starts_with("data:") && !value.starts_with('#');
    for name in ["src", "href", "action", "srcset", "poster"] {
        let values = attributes(&html, name);
        assert_eq!(values.iter().filter(outside).count(), 0, "{name}");
    }
    // Base64 has no colon, so that sound and pictures hold no address by accident.
    let addresses = html.matches("http:").count() + html.matches("https:").count();
    assert_eq!(addresses, html.matches("http://www.w3.org/2000/svg").count());
    assert!(!html.contains("@import") && !html.contains("url("));
}

#[test]
fn hostile_text_stays_text() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'";
    let mut page = example();
    page.title = evil.to_owned();
    page.subtitle = evil.to_owned();
    page.summary = vec![evil.to_owned()];
    page.recipe_toml = evil.to_owned();
    page.manifest_json = evil.to_owned();
    page.metrics[0].caption = evil.to_owned();
    page.metrics[0].columns[0] = evil.to_owned();
    page.metrics[0].rows[0].label = evil.to_owned();
    let comparison = page.comparison.as_mut().expect("the example has a comparison");
    for compared in comparison.machines.iter_mut().chain([&mut comparison.all]) {
        compared.machine = evil.to_owned();
        compared.baselines[0].name = evil.to_owned();
    }
    page.covariates[0].name = evil.to_owned();
    page.covariates[0].unit = evil.to_owned();
    page.comparisons[0].title = evil.to_owned();
    page.comparisons[0].rows[0].name = evil.to_owned();
    for section in &mut page.sections {
        section.machine = evil.to_owned();
        section.section = evil.to_owned();
        for row in &mut section.rows {
            row.clip.name = evil.to_owned();
            row.clip.attributes = evil.to_owned();
        }
    }
    for point in &mut page.map.as_mut().expect("the example has a map").points {
        point.clip.machine = evil.to_owned();
        point.clip.name = evil.to_owned();
    }
    for card in &mut page.clips {
        card.clip.name = evil.to_owned();
        card.clip.attributes = evil.to_owned();
        card.words = vec![evil.to_owned()];
        card.nearest.as_mut().expect("the example's clips have one").clip.name = evil.to_owned();
    }
    let html = render(&page);
    assert_eq!(html.matches("<script").count(), render(&example()).matches("<script").count());
    assert!(!html.contains("<img") && !html.contains("alert(1)</script><img"));
}

#[test]
fn sections_without_data_are_left_out() {
    let html = render(&PageData { title: "Nothing".to_owned(), ..PageData::default() });
    assert!(html.contains("<h1>Nothing</h1>") && !html.contains("<section"));
    let unlabelled = PageData { comparison: None, ..example() };
    assert!(render(&unlabelled).contains("Cannot tell whether this model detects faults"));
    let full = example();
    for (id, without) in [
        ("metrics", PageData { metrics: vec![], ..full.clone() }),
        ("verdict", PageData { comparison: None, sections: vec![], ..full.clone() }),
        ("machines", PageData { comparison: None, sections: vec![], ..full.clone() }),
        ("threshold", PageData { sections: vec![], ..full.clone() }),
        ("scores", PageData { sections: vec![], ..full.clone() }),
        ("map", PageData { map: None, ..full.clone() }),
        ("clips", PageData { clips: vec![], sections: vec![], ..full.clone() }),
        ("training", PageData { training: vec![], ..full.clone() }),
    ] {
        let section = format!("<section id=\"{id}\"");
        assert!(render(&full).contains(&section), "{id}");
        assert!(!render(&without).contains(&section), "{id}");
    }
}

#[test]
fn the_page_says_first_whether_faults_are_detected_and_shows_mistakes_before_other_clips() {
    let page = example();
    let html = render(&page);
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("`{text}` is missing"));
    let order = ["<h1>", "id=\"verdict\"", "id=\"machines\"", "id=\"threshold\"", "id=\"clips\""];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])));
    assert!(html.contains("Detects faults on all 3 machines, better than plain statistics"));
    assert_eq!(html.matches("<tr data-machine=").count(), 3, "one row per machine");
    let rows = attributes(&html[at("id=\"clip-rows\"")..], "data-outcome");
    let changes: Vec<&[&str]> = rows.chunk_by(|a, b| a == b).collect();
    let order: Vec<&str> = changes.iter().map(|part| part[0]).collect();
    assert_eq!(order, ["missed", "false-alarm", "found", "normal"]);
    let clips: usize = page.sections.iter().map(|section| section.rows.len()).sum();
    assert_eq!(rows.len(), clips, "every clip has a row");
}

#[test]
fn the_page_of_several_seeds_has_a_row_and_a_link_per_seed_and_deviations() {
    let trial = |seed: u64| TrialRow {
        seed,
        page: format!("seed_{seed}/report.html"),
        auc: Some(0.8 + 0.05 * seed as f64),
        pauc: None,
        official_score: Some(0.7),
        baseline: Some(0.6),
    };
    let trials = (0..3).map(trial).collect();
    let page = PageData { trials, sections: vec![], clips: vec![], map: None, ..example() };
    let html = render(&page);
    for seed in 0..3 {
        let link = format!("<a href=\"seed_{seed}/report.html\">seed {seed}</a>");
        assert!(html.contains(&link), "{link}");
    }
    assert!(html.contains("<td>0.850 \u{b1} 0.050</td>"), "mean and deviation");
    assert_eq!(html, render(&page));
}

#[test]
fn every_chart_has_its_numbers_in_a_table_of_its_own() {
    let mut page = example();
    page.sections[0].machine = "../<script>,\"x\"".to_owned();
    page.comparisons.push(page.comparisons[0].clone());
    let tables = figure_tables(&page);
    let html = render(&page);
    let figures = html.matches("<figure>").count() - html.matches("id=\"map-canvas\"").count();
    assert_eq!(tables.len(), figures);
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names.len(), tables.len(), "no table overwrites another");
    for table in &tables {
        let is_safe = |c: char| c.is_alphanumeric() || "-_".contains(c);
        assert!(table.name.chars().all(is_safe), "{}", table.name);
        assert!(table.csv.lines().count() > 1, "{} holds numbers", table.name);
    }
}

#[test]
fn every_drawing_has_words() {
    let html = render(&example());
    let drawings: Vec<&str> =
        html.split("<svg ").skip(1).chain(html.split("<canvas ").skip(1)).collect();
    assert!(drawings.len() > 20);
    for drawing in drawings.iter().filter(|drawing| !drawing.contains("aria-hidden")) {
        let tag = drawing.split('>').next().unwrap_or_default();
        assert!(attributes(&format!(" {tag}"), "aria-label").iter().any(|l| l.len() > 10), "{tag}");
    }
}

#[test]
fn sound_gives_way_to_the_size_limit() {
    let mut page = example();
    let full = render(&page);
    let players = |html: &str| html.matches("<audio ").count();
    assert_eq!(players(&full), 2 * page.clips.len());
    assert!(full.len() < PageData::DEFAULT_LIMIT_BYTES);
    let limit = full.len() - 200_000;
    page.limit_bytes = Some(limit);
    let small = render(&page);
    assert!(small.len() <= limit && players(&small) < players(&full) && players(&small) > 0);
    assert!(small.contains("Sound left out"));
}

#[test]
fn the_same_data_give_the_same_page_also_through_json() {
    let page = example();
    let json = serde_json::to_string(&page).expect("plain data");
    let read: PageData = serde_json::from_str(&json).expect("what was just written");
    assert_eq!(read, page);
    assert_eq!(render(&read), render(&page));
}
