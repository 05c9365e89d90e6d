package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners"
	"ovbench/runners/clip"
)

// Scores are those of the patches alone, ranks fall with them, ties keep the reading order, and peaks are middles of
// patches.
func TestRankTokens(t *testing.T) {
	c := runners.Caption{IDs: []int32{9, 4, 5, 8}, Words: []string{"[start]", "do", "g", "[end]"},
		Open: []bool{false, true, false, false}}
	// the global token does not count
	s := similarity{Maps: runners.Maps{Rows: 2, Cols: 3, Global: []float32{0.9, 0.9, 0.9, 0.9}, Patches: []float32{
		0.1, 0.0, -0.2, 0.0,
		0.0, 0.3, -0.1, 0.0,
		0.0, 0.0, -0.1, 0.0,
		0.0, 0.0, -0.4, 0.0,
		0.0, 0.0, -0.4, 0.0,
		0.0, 0.0, -0.4, 0.3,
	}}}
	want := []captionToken{
		{Text: "[start]", ID: 9, Position: 0, Score: 0.1, Rank: 3, Peak: [2]int{15, 10}},
		{Text: "do", ID: 4, Position: 1, Open: true, Score: 0.3, Rank: 1, Peak: [2]int{45, 10}},
		{Text: "g", ID: 5, Position: 2, Score: -0.1, Rank: 4, Peak: [2]int{45, 10}},
		{Text: "[end]", ID: 8, Position: 3, Score: 0.3, Rank: 2, Peak: [2]int{75, 30}},
	}
	got := rankTokens(c, s, 90, 40)
	for i := range got {
		got[i].Score = math.Round(got[i].Score*1000) / 1000 // it was a float32
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A single text's probability is against the empty text; those of several add up to 1.
func TestPresence(t *testing.T) {
	e := explanation{mapFlags: mapFlags{texts: []string{"cat"}}}
	s := sight{global: []float32{0.25}, empty: []float32{0.24}, model: &clip.Model{LogitScale: 100}}
	one := e.presence(s, true)
	if p := one[0].Probability; p < 0.731 || p > 0.7311 { // 1 / (1 + exp(-1))
		t.Errorf("%v", one)
	}
	e.texts = []string{"cat", "dog"}
	// Under a sigmoid each text stands by itself: 1 / (1 + exp(-(100·0.25 - 24))).
	alone := e.presence(sight{global: []float32{0.25, 0.24}, model: &clip.Model{LogitScale: 100, LogitBias: -24,
		Sigmoid: true}}, false)
	if p := alone[0].Probability; p < 0.731 || p > 0.7311 || alone[1].Probability < 0.4999 ||
		alone[1].Probability > 0.5001 {
		t.Errorf("%v", alone)
	}
	two := e.presence(sight{global: []float32{0.25, 0.24}, model: &clip.Model{LogitScale: 100}}, false)
	if p := two[0].Probability; p < 0.731 || p > 0.7311 || two[0].Probability+two[1].Probability < 0.9999 ||
		two[1].Text != "dog" {
		t.Errorf("%v", two)
	}
}
