//! What is found below folders: links, what cannot be read, recordings named one by one, many files.

use std::fs;

use crate::common::{Tree, kinds};
use offkey_core::Dataset;

#[test]
fn recordings_that_are_named_one_by_one_are_those_of_their_folder() {
    let names = ["a.wav", "b.flac", "section_00_source_train_normal_0001.wav"];
    let below = |folder: &str| names.map(|name| format!("{folder}/{name}"));
    let all = [below("fan/train"), below("pump/normal")].concat();
    let tree = Tree::new(&all.iter().map(String::as_str).collect::<Vec<_>>());
    for folder in ["fan/train", "pump/normal"] {
        let named: Vec<_> = below(folder).iter().map(|name| tree.path(name)).collect();
        let by_name = Dataset::read_all(&named, &[]).expect("three recordings");
        let by_folder = Dataset::read(&tree.path(folder)).expect("the same");
        assert_eq!(by_name.clips, by_folder.clips);
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_loops_never() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&["real/fan/normal/a.wav", "set/saw/normal/b.wav"]);
    let link = |from: &str, to: &str| symlink(tree.path(to), tree.path(from)).expect("a link");
    link("set/fan", "real/fan");
    link("set/saw/again", "set");
    link("real/fan/back", "set/saw");
    link("set/saw/normal/gone.wav", "nowhere.wav");
    link("set/saw/normal/c.wav", "set/saw/normal/b.wav");
    let dataset = Dataset::read(&tree.path("set")).expect("a set with links");
    let names: Vec<&str> = dataset.clips.iter().map(|clip| clip.name.as_str()).collect();
    assert_eq!(names, ["a.wav", "b.wav"]);
    let kinds = kinds(&dataset);
    for kind in ["unreadable", "symlink-loop", "same-file"] {
        assert!(kinds.contains(&kind), "{kind} not in {kinds:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_unreadable_folder_is_left_out_and_named() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new(&["fan/normal/a.wav", "saw/normal/b.wav"]);
    let closed = tree.path("saw");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("own folder");
    if fs::read_dir(&closed).is_ok() {
        eprintln!("skipped: this user reads everything");
        return;
    }
    let dataset = tree.read();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("own folder");
    assert_eq!(dataset.clips.len(), 1);
    assert!(kinds(&dataset).contains(&"unreadable"));
}

#[test]
fn many_files_are_read_in_a_moment() {
    let tree = Tree::new(&[]);
    for section in 0..10 {
        let folder = tree.path(&format!("fan/id_{section:02}/normal"));
        fs::create_dir_all(&folder).expect("a new folder");
        for clip in 0..1_000 {
            fs::write(folder.join(format!("{clip:08}.wav")), "").expect("a new file");
        }
    }
    let dataset = tree.read();
    assert_eq!(dataset.clips.len(), 10_000);
    assert!(dataset.clips.is_sorted_by(|a, b| (&a.section, &a.name) < (&b.section, &b.name)));
}
