#!/bin/sh
# Makes one small file per compressed or unusual form, with ffmpeg 5.1 (libmp3lame, libvorbis, libopus).
# Channel 0 is 0.5 sin(2 pi 440 t), channel 1 is 0.25 sin(2 pi 1000 t); one second at 16 kHz, a tenth
# of what is not compressed by much.
set -eu
cd "$(dirname "$0")"
one='aevalsrc=0.5*sin(2*PI*440*t):s=16000:d=1'
two='aevalsrc=0.5*sin(2*PI*440*t)|0.25*sin(2*PI*1000*t):s=16000:d=1'
make() { # source, name, options
    source=$1; name=$2; shift 2
    ffmpeg -y -v error -f lavfi -i "$source" -map_metadata -1 -fflags +bitexact -flags:a +bitexact "$@" "$name"
}
make "$one" mp3.mp3 -c:a libmp3lame -b:a 32k
make "$two" mp3_2ch.mp3 -c:a libmp3lame -b:a 64k -joint_stereo 0
make "$one" vorbis.ogg -c:a libvorbis -q:a 2
make "$two" vorbis_2ch.webm -c:a libvorbis -q:a 2
make "$one" opus.opus -c:a libopus -b:a 16k
make "$one" flac.ogg -t 0.1 -c:a flac
make "$one" aac.m4a -c:a aac -b:a 32k
make "$one" aac.aac -c:a aac -b:a 32k -f adts
make "$one" alac.m4a -t 0.1 -c:a alac
make "$one" alac.caf -t 0.1 -c:a alac
make "$one" pcm_24.caf -t 0.1 -c:a pcm_s24le
make "$one" flac.mkv -t 0.1 -c:a flac
make "$one" pcm_16.w64 -t 0.1 -c:a pcm_s16le
make "$two" pcm_24_2ch.w64 -t 0.1 -c:a pcm_s24le
make "$one" pcm_16.aiff -t 0.1 -c:a pcm_s16be
make "$two" pcm_24_2ch.aiff -t 0.1 -c:a pcm_s24be
make "$one" pcm_8.aiff -t 0.1 -c:a pcm_s8
make "$one" sowt.aifc -t 0.1 -c:a pcm_s16le -f aiff
make "$one" float.aifc -t 0.1 -c:a pcm_f32be -f aiff
make "$one" wma.wma -c:a wmav2 -b:a 32k
make "$one" ac3.mkv -c:a ac3 -ar 32000 -b:a 32k
# Codings that are named and not decoded.
make "$one" ms.mka -t 0.05 -c:a adpcm_ms -block_size 256
make "$one" alac.mov -t 0.05 -c:a alac
# What telephones and loggers write. Beside each lies what ffmpeg decodes it to, as 16-bit integers.
short() { # source, name, options
    make "$@"
    ffmpeg -y -v error -i "$2" -f s16le -c:a pcm_s16le "$2.s16"
}
short "$one" alaw.wav -t 0.1 -c:a pcm_alaw
short "$two" mulaw_2ch.wav -t 0.1 -c:a pcm_mulaw
short "$one" ima.wav -t 0.2 -c:a adpcm_ima_wav -block_size 256
short "$two" ima_2ch.wav -t 0.2 -c:a adpcm_ima_wav -block_size 512
short "$one" ms.wav -t 0.2 -c:a adpcm_ms -block_size 256
short "$two" ms_2ch.wav -t 0.2 -c:a adpcm_ms -block_size 512
short "$one" alaw.w64 -t 0.1 -c:a pcm_alaw
short "$one" mulaw.aifc -t 0.1 -c:a pcm_mulaw -f aiff
short "$one" alaw.aifc -t 0.1 -c:a pcm_alaw -f aiff
short "$one" mulaw.caf -t 0.1 -c:a pcm_mulaw
# Two tracks of sound in one file, as cameras write.
two_tracks() { # name, options
    name=$1; shift
    ffmpeg -y -v error -f lavfi -i "$one" -f lavfi -i "$one" -map 0 -map 1 -map_metadata -1 -fflags +bitexact -flags:a +bitexact -t 0.05 "$@" "$name"
}
two_tracks two_tracks.mka -c:a flac
two_tracks two_tracks.mov -c:a pcm_s16le
