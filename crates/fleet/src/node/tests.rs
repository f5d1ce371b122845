//! One computer through a roll-out: with and without a connection, with good and with bad things in the place.

use std::cell::{RefCell, RefMut};

use super::*;
use crate::{
    fetch::fetch,
    key::SigningKey,
    model::{Manifest, pack},
    signed::seal,
};

struct Bench {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("key");
        SigningKey::make(&path).expect("room");
        let key = SigningKey::read(&path).expect("a key");
        let bench = Self { folder, key };
        for version in ["1", "2"] {
            bench.publish(version, Some(&bench.key));
        }
        bench
    }

    fn publish(&self, version: &str, key: Option<&SigningKey>) {
        let manifest = Manifest {
            name: "press".to_owned(),
            version: version.to_owned(),
            made: String::new(),
            note: String::new(),
        };
        let packed = pack(&manifest, version.as_bytes(), key).expect("good names");
        write_whole(&self.at(&path_of("press", version)), &packed).expect("room");
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("store").join(path)
    }

    fn plan(&self, number: u64, more: &str) {
        let text = format!(
            "number = {number}\n[[model]]\nname = \"press\"\nmachines = [\"press\"]\n{more}"
        );
        let signed = seal(Kind::Plan, text.as_bytes(), Some(&self.key));
        write_whole(&self.at(PLAN), &signed).expect("room");
    }

    fn node(&self) -> Node {
        let place = Place::new("store", self.folder.path(), None, None).expect("a folder");
        let keys = vec![self.key.public()];
        Node::open("node", place, keys, &self.folder.path().join("node")).expect("room")
    }
}

/// Fetches, and says what is to change.
fn look(node: &mut Node, machines: &[String]) -> (Vec<Change>, Vec<String>) {
    let cell = RefCell::new(node);
    let fetched = fetch(|| RefMut::map(cell.borrow_mut(), |node| &mut **node), machines);
    cell.into_inner().changes(machines, fetched)
}

const V1: &str = "version = \"1\"\n";
const V2: &str = "version = \"2\"\n";
const TRY2: &str = "version = \"1\"\n[model.next]\nversion = \"2\"\nas = \"shadow\"\nshare = 1.0\n";

fn version(number: &str) -> Version {
    Version { name: "press".to_owned(), version: number.to_owned() }
}

#[test]
fn a_trial_is_news_once() {
    let bench = Bench::new();
    bench.plan(1, TRY2);
    let news = |node: &mut Node| {
        let (changes, _) = look(node, &["press".to_owned()]);
        let news: Vec<bool> = changes.iter().map(|change| node.is_news(change)).collect();
        for change in changes {
            node.done(&change, true).expect("room");
        }
        news
    };
    assert_eq!(news(&mut bench.node()), [true, true]);
    assert_eq!(news(&mut bench.node()), [false]);
}

/// Looks, makes every change, and says in words what happened.
fn follow(node: &mut Node) -> String {
    let (changes, troubles) = look(node, &["press".to_owned(), "other".to_owned()]);
    let mut told: Vec<String> = troubles;
    for change in changes {
        node.done(&change, true).expect("room");
        told.push(match change {
            Change::Live { version, model, .. } => {
                assert_eq!(model, version.version.as_bytes());
                format!("live {version}")
            }
            Change::Shadow { version, .. } => format!("shadow {version}"),
            Change::NoShadow { .. } => "no shadow".to_owned(),
        });
    }
    told.join(", ")
}

#[test]
fn a_plan_is_followed_once_and_models_go_back_and_forth() {
    let bench = Bench::new();
    let mut node = bench.node();
    assert!(follow(&mut node).contains("cannot read"), "no plan yet");
    bench.plan(1, V1);
    assert_eq!(follow(&mut node), "live press 1");
    assert_eq!(follow(&mut node), "");
    bench.plan(2, TRY2);
    assert_eq!(follow(&mut node), "shadow press 2");
    // What is tried is loaded anew after a start, without a connection.
    fs::rename(bench.at(""), bench.folder.path().join("away")).expect("it was there");
    let mut node = bench.node();
    let told = follow(&mut node);
    assert!(told.contains("cannot read") && told.ends_with("shadow press 2"), "{told}");
    assert_eq!(node.held("press").expect("it is known").live, Some(version("1")));
    fs::rename(bench.folder.path().join("away"), bench.at("")).expect("it was there");
    bench.plan(3, V2);
    assert_eq!(follow(&mut node), "no shadow, live press 2");
    bench.plan(4, V1);
    assert_eq!(follow(&mut node), "live press 1");
}

#[test]
fn a_day_without_the_store_is_made_up_for_in_one_look() {
    /// Looks in a day, one every five minutes.
    const DAY: usize = 288;
    let bench = Bench::new();
    let mut node = bench.node();
    bench.plan(1, V1);
    follow(&mut node);
    bench.plan(2, V2);
    follow(&mut node);
    let away = bench.folder.path().join("away");
    fs::rename(bench.at(""), &away).expect("it was there");
    for look in 0..DAY {
        if look == DAY / 3 {
            // The computer starts again meanwhile,
            node = bench.node();
        }
        if look == DAY / 2 {
            // and somebody goes back to the earlier model on it.
            node.went_back("press").expect("it lies here");
        }
        let told = follow(&mut node);
        assert!(told.contains("cannot read") && !told.contains("live"), "{told}");
        let expected = if look < DAY / 2 { "2" } else { "1" };
        assert_eq!(node.held("press").expect("known").live, Some(version(expected)));
    }
    // The owner went on: a trial was planned and dropped, and a third version is meant now.
    fs::rename(&away, bench.at("")).expect("it was there");
    bench.plan(3, TRY2);
    bench.plan(4, V1);
    bench.publish("3", Some(&bench.key));
    bench.plan(5, "version = \"3\"\n");
    assert_eq!(follow(&mut node), "live press 3");
    assert_eq!(follow(&mut node), "");
}

#[test]
fn what_is_decided_here_holds_until_the_plan_wants_something_else() {
    let bench = Bench::new();
    let mut node = bench.node();
    bench.plan(1, V1);
    follow(&mut node);
    bench.plan(2, V2);
    follow(&mut node);
    node.went_back("press").expect("there is an earlier one");
    assert_eq!(follow(&mut node), "");
    // A new number alone is no other wish.
    bench.plan(3, V2);
    assert_eq!(follow(&mut bench.node()), "");
    let mut node = bench.node();
    assert_eq!(node.held("press").expect("known").live, Some(version("1")));
    bench.plan(4, TRY2);
    assert_eq!(follow(&mut node), "shadow press 2");
    node.ended_trial("press", true).expect("it is tried");
    assert_eq!(node.held("press").expect("known").live, Some(version("2")));
    assert_eq!(follow(&mut node), "");
    assert!(matches!(node.ended_trial("press", false), Err(NodeError::Nothing { .. })));
    bench.plan(5, V1);
    assert_eq!(follow(&mut node), "live press 1");
    node.learned_here("press").expect("room");
    assert_eq!(
        (follow(&mut node), &node.held("press").expect("known").live),
        (String::new(), &None)
    );
    bench.plan(6, V2);
    assert_eq!(follow(&mut node), "live press 2");
}

#[test]
fn nothing_is_taken_that_the_owner_does_not_answer_for() {
    let bench = Bench::new();
    let mut node = bench.node();
    bench.plan(5, V1);
    assert_eq!(follow(&mut node), "live press 1");
    // An earlier plan, put back by somebody who can write to the place.
    bench.plan(4, V2);
    assert!(follow(&mut node).contains("an earlier plan is not followed"));
    // A plan without a signature.
    let unsigned = seal(Kind::Plan, b"number = 9\n", None);
    write_whole(&bench.at(PLAN), &unsigned).expect("room");
    assert!(follow(&mut node).contains("it is not signed"));
    // A model without a signature; one version in the place of another.
    bench.publish("2", None);
    bench.plan(6, V2);
    assert!(follow(&mut node).contains("it is not signed"));
    fs::copy(bench.at(&path_of("press", "1")), bench.at(&path_of("press", "2"))).expect("room");
    assert!(follow(&mut node).contains("expected `press 2`, found `press 1`"));
    bench.publish("2", Some(&bench.key));
    assert_eq!(follow(&mut node), "live press 2");
}

#[test]
fn a_version_that_cannot_be_used_is_said_and_not_tried_again() {
    let bench = Bench::new();
    let mut node = bench.node();
    bench.plan(1, V2);
    let (changes, _) = look(&mut node, &["press".to_owned()]);
    node.refused(&changes[0], "it is no model").expect("room");
    let mut node = bench.node();
    assert_eq!(follow(&mut node), "`press`: press 2 cannot be used: it is no model");
    bench.plan(2, V1);
    assert_eq!(follow(&mut node), "live press 1");
}

#[test]
fn what_was_fetched_and_is_not_needed_goes_and_a_damaged_memory_begins_anew() {
    let bench = Bench::new();
    let mut node = bench.node();
    bench.plan(1, V1);
    follow(&mut node);
    bench.plan(2, V2);
    follow(&mut node);
    follow(&mut node);
    let kept = |number: &str| bench.folder.path().join("node").join(path_of("press", number));
    assert!(!kept("1").exists() && kept("2").exists());
    fs::write(kept("2"), "half").expect("room");
    fs::write(bench.folder.path().join("node").join(STATE), "{").expect("room");
    assert_eq!(follow(&mut bench.node()), "live press 2");
}

#[test]
fn a_store_that_never_answers_holds_nobody_up() {
    use std::{net::TcpListener, sync::Mutex};
    let bench = Bench::new();
    bench.plan(1, V1);
    let mut node = bench.node();
    follow(&mut node);
    bench.plan(2, V2);
    follow(&mut node);
    drop(node);
    // The same computer, whose store takes calls and says nothing.
    let store = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", store.local_addr().expect("an address"));
    let place = Place::new(&url, bench.folder.path(), None, None).expect("an address");
    let keys = vec![bench.key.public()];
    let node = Node::open("node", place, keys, &bench.folder.path().join("node")).expect("room");
    let node = Mutex::new(node);
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch(|| node.lock().expect("whole"), &["press".to_owned()]));
        let (call, _) = store.accept().expect("it asks");
        // The call is on its way: who works here goes back all the same.
        node.lock().expect("whole").went_back("press").expect("there is an earlier one");
        assert!(!fetching.is_finished());
        drop(call);
        let fetched = fetching.join().expect("it ends");
        let (changes, troubles) =
            node.lock().expect("whole").changes(&["press".to_owned()], fetched);
        assert!(changes.is_empty() && troubles[0].contains(&url), "{changes:?} {troubles:?}");
    });
}
