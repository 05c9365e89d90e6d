package methods

import (
	"encoding/json"
	"testing"

	"ovbench/runners/vit"
)

func TestLastBlocks(t *testing.T) {
	tower := &vit.Tower{Transformer: vit.Transformer{Blocks: make([]vit.Block, 7)}}
	for text, want := range map[string]int{"1": 1, "7": 7, `"half"`: 4, `"all"`: 7, `"3"`: 3, "0": 0, "8": 0, `"none"`: 0, "-1": 0} {
		var b LastBlocks
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			t.Fatal(err)
		}
		if got, err := b.of("legrad", tower); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s of 7 blocks: %d %v, want %d", text, got, err, want)
		}
		again, err := json.Marshal(b)
		if text != `"3"` && (string(again) != text || err != nil) { // a number is written as one
			t.Errorf("%s is written %s (%v)", text, again, err)
		}
	}
	var b LastBlocks
	if err := json.Unmarshal([]byte("1.5"), &b); err == nil {
		t.Error("1.5 blocks are accepted")
	}
}
