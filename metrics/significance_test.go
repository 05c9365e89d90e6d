package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// statistics is testdata/statistics/statistics.json, by make.py there: scipy 1.17.1 (its
// permutation_test and binomtest) and statsmodels 0.15.0 (Holm).
type statistics struct {
	SignFlip []struct {
		D []float64
		P float64
	} `json:"sign_flip"`
	McNemar []struct {
		A, B int
		P    float64
	}
	Holm []struct{ P, Want []float64 }
}

func sameP(a, b float64) bool { return math.Abs(a-b) <= 1e-11*max(math.Abs(a), math.Abs(b)) }

func TestSignFlipIsScipys(t *testing.T) {
	var g statistics
	readJSON(t, "statistics/statistics.json", &g)
	for _, c := range g.SignFlip {
		if got, exact, err := SignFlip(c.D, 0, 0); err != nil || !exact || !sameP(got, c.P) {
			t.Errorf("%v: %v, %v, %v; want %v", c.D, got, exact, err, c.P)
		}
	}
}

// By hand: of the 8 sign patterns of 1, 2, 3 only all plus and all minus reach 6; of 1, 1 half
// reaches 2; all patterns reach 0.
func TestSignFlipByHand(t *testing.T) {
	for _, test := range []struct {
		d    []float64
		want float64
	}{
		{[]float64{1, 2, 3}, 0.25}, {[]float64{-1, -2, -3}, 0.25}, {[]float64{1, 1}, 0.5}, {[]float64{1, -1}, 1},
		{[]float64{0, 0}, 1}, {[]float64{5}, 1},
		{[]float64{0.1, 0.2, -0.3}, 1}, // the sum is not exactly 0 in floats
	} {
		if got, exact, err := SignFlip(test.d, 0, 0); err != nil || !exact || got != test.want {
			t.Errorf("%v: %v, %v, %v; want %v", test.d, got, exact, err, test.want)
		}
	}
	for _, bad := range [][]float64{nil, {math.NaN()}, {1, math.Inf(1)}} {
		if _, _, err := SignFlip(bad, 10, 0); err == nil {
			t.Errorf("%v was tested", bad)
		}
	}
	if _, _, err := SignFlip(make([]float64, 21), 0, 0); err == nil {
		t.Error("no flips")
	}
}

// Random flips of 21 and 150 differences approach the truth: the exact p of 20 of them with a zero
// added, whose sign does not matter; and p = (count+1)/(B+1).
func TestSignFlipRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := make([]float64, 20, 150)
	for i := range d {
		d[i] = r.NormFloat64() + 0.35
	}
	want, exact, err := SignFlip(d, 0, 0)
	if err != nil || !exact || want < 0.01 || want > 0.5 {
		t.Fatalf("%v, %v, %v", want, exact, err)
	}
	for _, n := range []int{21, 150} {
		const flips = 20000
		got, exact, err := SignFlip(d[:n], flips, 3)
		if sd := math.Sqrt(want * (1 - want) / flips); err != nil || exact || math.Abs(got-want) > 5*sd {
			t.Errorf("%d differences: %v, %v, %v; want %v within five times %v", n, got, exact, err, want, sd)
		}
		if again, _, _ := SignFlip(d[:n], flips, 3); again != got {
			t.Error("the same seed gave another p")
		}
	}
	all := make([]float64, 100)
	for i := range all {
		all[i] = 1
	}
	if got, _, err := SignFlip(all, 999, 0); err != nil || got != 1./1000 {
		t.Errorf("%v, %v; want 1/1000, the least there is", got, err)
	}
}

// By hand: 2 (C(9,0) + C(9,1)) / 2^9 = 20/512.
func TestMcNemar(t *testing.T) {
	if got, err := McNemar(8, 1); err != nil || !sameP(got, 20./512) {
		t.Errorf("%v, %v; want 20/512", got, err)
	}
	var g statistics
	readJSON(t, "statistics/statistics.json", &g)
	for _, c := range g.McNemar {
		if got, err := McNemar(c.A, c.B); err != nil || !sameP(got, c.P) {
			t.Errorf("%d, %d: %v, %v; want %v", c.A, c.B, got, err, c.P)
		}
	}
	for _, bad := range [][2]int{{-1, 0}, {0, -1}, {math.MaxInt, math.MaxInt}} {
		if _, err := McNemar(bad[0], bad[1]); err == nil {
			t.Errorf("%v was tested", bad)
		}
	}
}

// By hand: 4*0.005, 3*0.01, 2*0.03, and 0.04, which may not be less than the one before.
func TestHolm(t *testing.T) {
	got, err := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if err != nil || !sameP(got[i], want) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	var g statistics
	readJSON(t, "statistics/statistics.json", &g)
	for _, c := range g.Holm {
		got, err := Holm(c.P)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Want {
			if !sameP(got[i], c.Want[i]) {
				t.Errorf("%v: %v, want %v", c.P, got, c.Want)
				break
			}
		}
	}
	for _, bad := range [][]float64{{math.NaN()}, {-0.1}, {1.1}} {
		if _, err := Holm(bad); err == nil {
			t.Errorf("%v was adjusted", bad)
		}
	}
}

// Tests of differences do not depend on which method comes first, nor on the order of the images.
func TestTestsAreSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfN(rapid.Map(rapid.IntRange(-9, 9), func(v int) float64 { return float64(v) / 8 }), 1, 14).Draw(t,
			"differences")
		swapped := make([]float64, len(d))
		for i, k := range rapid.Permutation(indicesTo(len(d))).Draw(t, "order") {
			swapped[i] = -d[k]
		}
		p, _, err := SignFlip(d, 0, 0)
		q, _, err2 := SignFlip(swapped, 0, 0)
		if err != nil || err2 != nil || p != q || !(p > 0 && p <= 1) {
			t.Fatalf("sign flips: %v, %v and %v, %v", p, err, q, err2)
		}
	})
}

func indicesTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// BenchmarkSignFlip is 10,000 flips of the differences of VOC val.
func BenchmarkSignFlip(b *testing.B) {
	d := make([]float64, 1449)
	for i := range d {
		d[i] = rand.New(rand.NewPCG(uint64(i), 0)).NormFloat64()
	}
	for b.Loop() {
		if _, _, err := SignFlip(d, 10000, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignFlipExact(b *testing.B) {
	d := make([]float64, exactSignFlips)
	for i := range d {
		d[i] = float64(i) - 7.3
	}
	for b.Loop() {
		if _, _, err := SignFlip(d, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}
