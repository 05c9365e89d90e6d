package tasks

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/runners"
	"ovbench/runners/resample"
)

// valueOf is the value of a class at a token as the keys of the protocol print it.
func valueOf(p configs.Protocol, window []float32, texts, token int, of []int) float64 {
	cos := func(i, q int) float64 { return float64(window[i*texts+q]) }
	if p.Aliases == configs.AliasesMean {
		sum := 0.0
		for _, q := range of {
			sum += cos(token, q)
		}
		return sum / float64(len(of))
	}
	weights := slices.Repeat([]float64{1}, len(of))
	if p.AliasTemperature > 0 {
		total := 0.0
		for j, q := range of {
			mean := 0.0
			for i := range len(window) / texts {
				mean += cos(i, q) / float64(len(window)/texts)
			}
			weights[j] = math.Exp(mean / p.AliasTemperature)
			total += weights[j]
		}
		for j := range weights {
			weights[j] /= total // a softmax
		}
		average := 1 / float64(len(of))
		for j := range weights {
			weights[j] /= average
		}
	}
	sum := 0.0
	for j, q := range of {
		sum += math.Exp(p.Tau() * weights[j] * p.Scale * cos(token, q))
	}
	return math.Log(sum) / p.Tau() / p.Scale
}

// decodePlain joins words value by value, and bars the classes that are not there by minus infinity, which no softmax
// counts.
//
// Values that are as near to the fast ones as floats of another order of sums are taken from there.
func decodePlain(t *rapid.T, target *Target, truth labelmap.Map, m resample.Mosaic) []uint16 {
	texts := len(target.Texts)
	all := *target
	all.Protocol.Vocabulary = ""
	fast := all.ballot(truth)
	rule := target.Rule
	columns := [][]int{}
	for q := range texts {
		columns = append(columns, []int{q})
	}
	if target.Protocol.JoinsAliases() {
		columns, rule.Classes = make([][]int, len(target.Info.Classes)), nil
		for q, c := range target.Rule.Classes {
			columns[c] = append(columns[c], q)
		}
	}
	there := map[int]bool{}
	for _, v := range truth.Pix {
		there[int(v)] = int(v) < len(target.Info.Classes)
	}
	some := slices.ContainsFunc(truth.Pix, func(v uint16) bool { return int(v) < len(target.Info.Classes) })
	oracle := target.Protocol.Oracle() && some
	if oracle && !there[0] {
		rule.Threshold, rule.Area = 0, 0
	}
	m.Tiles = slices.Clone(m.Tiles)
	for i, tile := range m.Tiles {
		tokens, joined := len(tile.Logits)/texts, fast.read(tile.Logits, texts)
		logits := make([]float32, tokens*len(columns))
		for k, of := range columns {
			for token := range tokens {
				v := float32(math.Inf(-1))
				switch {
				case oracle && !there[target.Rule.Classes[of[0]]]:
				case target.Protocol.JoinsAliases():
					want := valueOf(target.Protocol, tile.Logits, texts, token, of)
					if v = joined[token*len(columns)+k]; math.Abs(float64(v)-want) > 1e-6 {
						t.Fatalf("%+v: %v, want %v", target.Protocol, v, want)
					}
				default:
					v = tile.Logits[token*texts+of[0]]
				}
				logits[token*len(columns)+k] = v
			}
		}
		m.Tiles[i].Logits = logits
	}
	m.Queries = len(columns)
	labels := make([]uint16, truth.W*truth.H)
	m.Decode(labels, truth.W, truth.H, rule)
	return labels
}

// Pictures are decided as the keys say, joined and barred, whole and in windows.
func TestDecodeEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
		target := &Target{Whole: rapid.Bool().Draw(t, "whole")}
		p := &target.Protocol
		p.Scale = rapid.SampledFrom([]float64{10, 40}).Draw(t, "scale")
		p.Aliases = rapid.SampledFrom([]string{"", "max", configs.AliasesMean, configs.AliasesLSE}).Draw(t, "aliases")
		if p.Aliases == configs.AliasesLSE {
			p.AliasTau = rapid.SampledFrom([]float64{0, 0.5, 2}).Draw(t, "tau")
			p.AliasTemperature = rapid.SampledFrom([]float64{0, 0.01, 0.3}).Draw(t, "temperature")
		}
		p.Vocabulary = rapid.SampledFrom([]string{"", "all", configs.VocabularyOracle}).Draw(t, "vocabulary")
		for c := range size("classes", 1, 5) {
			target.Info.Classes = append(target.Info.Classes, "c")
			for range size("words", 1, 3) {
				target.Texts, target.Rule.Classes = append(target.Texts, "w"), append(target.Rule.Classes, c)
			}
		}
		target.Info.Background, target.Rule.Scale = true, p.Scale
		target.Rule.Threshold = rapid.SampledFrom([]float64{0, 0.3, 0.6}).Draw(t, "threshold")
		target.Rule.Margin = rapid.Bool().Draw(t, "margin")
		target.Rule.Area = rapid.SampledFrom([]float64{0, 0.2}).Draw(t, "area")
		truth := labelmap.Map{W: size("w", 1, 40), H: size("h", 1, 40)}
		label := rapid.SampledFrom(append([]uint16{labelmap.Ignore}, uint16(size("a", 0, 4)), uint16(size("b", 0, 4))))
		for range truth.W * truth.H {
			truth.Pix = append(truth.Pix, label.Draw(t, "label"))
		}
		logits := func(n int) []float32 {
			return rapid.SliceOfN(rapid.Float32Range(0.1, 0.4), n*len(target.Texts), n*len(target.Texts)).Draw(t, "cosines")
		}
		cols, rows := size("cols", 1, 4), size("rows", 1, 4)
		m := resample.Whole(logits(cols*rows), cols, rows, len(target.Texts), truth.W, truth.H)
		sim := Similarity{Maps: runners.Maps{Rows: rows, Cols: cols, Patches: m.Tiles[0].Logits}}
		if !target.Whole { // two windows, one above the other
			m = resample.Mosaic{W: 32, H: 48, Queries: len(target.Texts), Tiles: []resample.Tile{
				{W: 32, H: 32, Cols: 2, Rows: 2, Logits: logits(4)},
				{W: 32, H: 32, Y: 16, Cols: 2, Rows: 2, Logits: logits(4)},
			}}
		}
		sim.Stitched = func() resample.Mosaic { return m }
		got, err := Decode(target, truth, &sim)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range decodePlain(t, target, truth, m) {
			if got[i] != want {
				t.Fatalf("label %d is %d, want %d", i, got[i], want)
			}
		}
	})
}

// A class in the truth alone wins where it competes with no other; without a truth all do.
func TestOracle(t *testing.T) {
	target := &Target{Info: datasets.Info{Classes: []string{"sky", "sea", "sand"}, Background: true}, Whole: true,
		Texts: []string{"sky", "sea", "sand"},
		Rule:  resample.Rule{Classes: []int{0, 1, 2}, Scale: 100, Threshold: 0.9}}
	target.Protocol.Vocabulary = configs.VocabularyOracle
	sim := Similarity{Maps: runners.Maps{Rows: 1, Cols: 1, Patches: []float32{0.3, 0.21, 0.2}}}
	for _, c := range []struct {
		truth []uint16
		want  uint16
	}{
		{[]uint16{2, labelmap.Ignore}, 2}, {[]uint16{1, 2}, 1}, {[]uint16{0, 2}, 0}, {[]uint16{0, 0}, 0},
		{[]uint16{labelmap.Ignore, labelmap.Ignore}, 0},
	} {
		got, err := Decode(target, labelmap.Map{W: 2, H: 1, Pix: c.truth}, &sim)
		if err != nil || got[0] != c.want {
			t.Errorf("truth %v: label %d, %v, want %d", c.truth, got[0], err, c.want)
		}
	}
}
