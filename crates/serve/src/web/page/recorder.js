"use strict";
// Runs beside the page's own thread: hands over the samples of the microphone as they come.

class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0][0]) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
}

registerProcessor("recorder", Recorder);
