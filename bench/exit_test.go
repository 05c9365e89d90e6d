package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// No name of a Go type reaches a user.
func TestWorded(t *testing.T) {
	var into struct {
		Seed  uint64    `json:"seed"`
		Names []string  `json:"names"`
		When  time.Time `json:"when"`
		Deep  struct {
			Share float32 `json:"share"`
		} `json:"deep"`
	}
	for text, want := range map[string]string{
		`{"seed":"x"}`:           "seed: text where a whole number belongs",
		`{"seed":1e400}`:         "seed: number 1e400 where a whole number belongs",
		`{"names":{}}`:           "names: object where a list belongs",
		`{"deep":{"share":"x"}}`: "share: text where a number belongs",
		`[]`:                     "array where an object belongs",
	} {
		err := json.Unmarshal([]byte(text), &into)
		if err == nil {
			t.Fatal(text)
		}
		got := worded("a.json: " + err.Error() + "; delete it")
		if !strings.Contains(got, want) || strings.Contains(got, " Go ") || strings.Contains(got, "struct") || !strings.HasSuffix(got, "; delete it") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
