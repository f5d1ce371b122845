#!/bin/sh
# Makes a model file of the present form from synthetic recordings. A file of every form that was ever
# written stays here, and crates/cli/tests/binary/monitor/model_file.rs loads them all.
#
#     make.sh OFFKEY FILE        with the binary, and the file to write, as in form_1.offkey
#
# form_2.offkey was made of the same recordings by `learn pump --name machine --window 0.5s --every 0.5s --seed 1`,
# before files kept what fitting finds; crates/monitor/tests/loading.rs loads it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
binary=$1
case $2 in /*) file=$2 ;; *) file=$PWD/$2 ;; esac
cd "$work"
"$binary" data synth --quiet --out data --machines 1 --clips 24 --clip-s 2 --snr 20 --seed 9
mkdir pump
number=0
for clip in $(find data -name '*train_normal*.wav' | sort); do
    cp "$clip" "pump/recording $number.wav"
    number=$((number + 1))
done
"$binary" learn pump -o "$file" --name machine --every 0.5s --recipe "$here/recipe.toml" --seed 1 --quiet --force
