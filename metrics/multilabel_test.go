package metrics

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// The goldens of testdata/multilabel are scikit-learn 1.9.1's and, for the rules it lacks, numpy
// 2.4.6's; make.py there computed them. OVBENCH_MULTILABEL names a folder with more cases from it.
func tableCases[T any](t *testing.T, name string) []T {
	t.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("OVBENCH_MULTILABEL"), "testdata/multilabel"), name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s: no cases", path)
	}
	return cases
}

// table is scores as base64 of little-endian float64, with their truth.
type table struct {
	Name    string
	Classes int
	Packed  string `json:"scores"`
	Tags    []int  `json:"truth"` // Tag is a byte, whose slices JSON has as text
}

func (x table) unpack(t *testing.T) (scores []float64, truth []Tag) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(x.Packed)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(raw) > 0; raw = raw[8:] {
		scores = append(scores, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	}
	for _, v := range x.Tags {
		truth = append(truth, Tag(v))
	}
	return scores, truth
}

func TestReferenceMultiLabel(t *testing.T) {
	type want struct {
		table
		Want map[DifficultRule]map[string]struct {
			AP  []*float64
			MAP *float64
		}
		Times     []int32
		Resampled map[string]*float64
	}
	for _, w := range tableCases[want](t, "multilabel.json") {
		scores, truth := w.unpack(t)
		check := func(what string, want *float64, got float64, ok bool) {
			t.Helper()
			if ok != (want != nil) || ok && math.Abs(got-*want) > 1e-9 {
				t.Errorf("%s: %s = %v, %v", w.Name, what, got, ok)
				if want != nil {
					t.Errorf("want %v", *want)
				}
			}
		}
		if len(w.Want) != 3 {
			t.Fatalf("%s: %d rules", w.Name, len(w.Want))
		}
		for difficult, byRule := range w.Want {
			r, err := Rank(scores, truth, w.Classes, difficult)
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			for _, rule := range APRules {
				want := byRule[rule.Name]
				for c := range w.Classes {
					ap, ok := r.AP(c, rule, nil)
					check(fmt.Sprintf("%s, difficult %s, class %d", rule.Name, difficult, c), want.AP[c], ap, ok)
				}
				mean, undefined, ok := r.MAP(rule, nil)
				check("mAP by "+rule.Name, want.MAP, mean, ok)
				positives := 0
				for _, ap := range byRule["sklearn"].AP {
					if ap != nil {
						positives++
					}
				}
				if undefined != w.Classes-positives {
					t.Errorf("%s: %d classes without positives, want %d", w.Name, undefined, w.Classes-positives)
				}
			}
		}
		for i := range truth { // the resample counts difficult ones as absent
			truth[i] %= TagDifficult
		}
		r, err := Rank(scores, truth, w.Classes, DifficultSkip)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range APRules {
			mean, ok := r.MAPStatistic(rule)(Draw{Times: w.Times})
			check("resampled mAP by "+rule.Name, w.Resampled[rule.Name], mean, ok)
		}
	}
}

// Worked by hand: images by falling score are present, absent, present; precision 1 and 2/3 there.
func TestAPByHand(t *testing.T) {
	r, err := Rank([]float64{.9, .5, .1}, []Tag{1, 0, 1}, 1, DifficultSkip)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"sklearn": (1 + 2./3) / 2, "voc-envelope": (1 + 2./3) / 2, "asl": (1 + 2./3) / (2 + 1e-8),
		"voc07-11pt": (6 + 5*2./3) / 11, // recall 1/2 reaches levels 0 to 0.5
	} {
		rule := APRules[slices.IndexFunc(APRules, func(r APRule) bool { return r.Name == name })]
		if got, ok := r.AP(0, rule, nil); !ok || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, want)
		}
	}
}

// checkRank is the definition: by score, equal ones by image, both zeros being equal.
func checkRank(t interface{ Fatalf(string, ...any) }, scores []float64, truth []Tag) {
	r, err := Rank(scores, truth, 1, DifficultSkip)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var want, got []int
	for i := range scores {
		if truth[i] != TagDifficult {
			want = append(want, i)
		}
	}
	slices.SortStableFunc(want, func(a, b int) int { return -cmp.Compare(scores[a], scores[b]) })
	for k, x := range r.lists[0] {
		i := x.image()
		got = append(got, i)
		last := k+1 == len(want) || scores[want[k+1]] != scores[i]
		if x.present() != (truth[i] == TagPresent) || x.last() != last {
			t.Fatalf("place %d: image %d present %v, last %v", k, i, x.present(), x.last())
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%v (-want +got):\n%s", scores, diff)
	}
}

func TestRankAgreesWithSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		score := rapid.OneOf(
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), 5e-324, -5e-324,
				math.MaxFloat64, math.Nextafter(1, 2)}),
			rapid.Float64(), rapid.Map(rapid.Float32(), func(x float32) float64 { return float64(x) }))
		scores := rapid.SliceOfN(score, 0, 50).Draw(t, "scores")
		truth := make([]Tag, len(scores))
		for i := range truth {
			truth[i] = Tag(rapid.IntRange(0, 2).Draw(t, "tag"))
		}
		checkRank(t, scores, truth)
	})
}

// FuzzRank takes scores as eight bytes each.
func FuzzRank(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\xf0\x3f\x01\x00\x00\x00\x00\x00\xf0\x3f"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var scores []float64
		for ; len(raw) >= 8; raw = raw[8:] {
			if x := math.Float64frombits(binary.LittleEndian.Uint64(raw)); !math.IsNaN(x) {
				scores = append(scores, x)
			}
		}
		truth := make([]Tag, len(scores))
		for i := range truth {
			truth[i] = Tag(i % 3)
		}
		checkRank(t, scores, truth)
	})
}

// Counting an image n times is having it n times in its place.
func TestAPOfRepeatedImages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "images")
		var scores, longScores []float64
		var truth, longTruth []Tag
		times := make([]int32, n)
		for i := range n {
			s, y := float64(rapid.IntRange(0, 4).Draw(t, "score")), Tag(rapid.IntRange(0, 2).Draw(t, "tag"))
			times[i] = int32(rapid.IntRange(0, 3).Draw(t, "times"))
			scores, truth = append(scores, s), append(truth, y)
			for range times[i] {
				longScores, longTruth = append(longScores, s), append(longTruth, y)
			}
		}
		short, err := Rank(scores, truth, 1, DifficultSkip)
		if err != nil {
			t.Fatal(err)
		}
		long, err := Rank(longScores, longTruth, 1, DifficultSkip)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range APRules {
			want, ok1 := long.AP(0, rule, nil)
			got, ok2 := short.AP(0, rule, times)
			if ok1 != ok2 || math.Abs(want-got) > 1e-15 {
				t.Fatalf("%s: %v, %v repeated and %v, %v counted", rule.Name, want, ok1, got, ok2)
			}
		}
	})
}

func TestRankErrors(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		scores  []float64
		truth   []Tag
		classes int
		d       DifficultRule
		want    string
	}{
		{make([]float64, 20), make([]Tag, 20), 0, DifficultSkip, "0 classes"},
		{make([]float64, 20), make([]Tag, 10), 10, DifficultSkip, "20 scores and 10 truths"},
		{make([]float64, 25), make([]Tag, 25), 10, DifficultSkip, "images times 10 classes"},
		{make([]float64, 20), make([]Tag, 20), 10, "", `difficult rule "" is not known (known: skip, negative, positive)`},
		{append(make([]float64, 19), nan), make([]Tag, 20), 10, DifficultSkip, "image 1, class 9: score NaN"},
		{make([]float64, 20), append(make([]Tag, 19), 3), 10, DifficultSkip, "image 1, class 9: truth 3"},
		{append(make([]float64, 19), nan), append(make([]Tag, 19), TagDifficult), 10, DifficultSkip, "score NaN"},
	} {
		if _, err := Rank(test.scores, test.truth, test.classes, test.d); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// The rule for tables of zero-shot tags is scikit-learn's with classes that are present nowhere left out.
func TestReferenceTags(t *testing.T) {
	type want struct {
		table
		Want map[string]map[string]map[string]float64 // how, rule, score
	}
	asked := 0
	for _, w := range tableCases[want](t, "tags.json") {
		scores, truth := w.unpack(t)
		for how, byRule := range w.Want {
			var k int
			if n, _ := fmt.Sscanf(how, "top%d", &k); n == 0 || strings.Contains(how, "positive") {
				continue // recorded for other ways to predict
			}
			asked++
			var records []TagRecord
			for at := 0; at < len(scores); at += w.Classes {
				r, err := TopK(scores[at:at+w.Classes], truth[at:at+w.Classes], k, DifficultSkip)
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, r)
			}
			got := evaluate(t, len(records), func(score string) (Statistic,
				error) {
				return TagsStatistic(records, w.Classes, score)
			}, TagScores...)
			if diff := gocmp.Diff(byRule["plain"], got, toolTolerance, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", w.Name, how, diff)
			}
		}
	}
	if asked == 0 {
		t.Error("no case is of the highest classes")
	}
}

func TestTopK(t *testing.T) {
	inf := math.Inf(-1)
	for _, test := range []struct {
		scores []float64
		truth  []Tag
		k      int
		d      DifficultRule
		want   TagRecord
	}{
		{[]float64{1, 1, 1, 1}, []Tag{0, 0, 0, 1}, 2, DifficultSkip, TagRecord{{0, true, false}, {1, true, false},
			{3, false, true}}},
		{[]float64{0, 2, 1, 2}, []Tag{0, 1, 0, 0}, 3, DifficultSkip, TagRecord{{1, true, true}, {2, true, false},
			{3, true, false}}},
		{[]float64{inf, inf}, []Tag{0, 0}, 1, DifficultSkip, TagRecord{{0, true, false}}},
		{[]float64{3, 2, 1}, []Tag{2, 0, 0}, 1, DifficultSkip, TagRecord{{1, true, false}}},
		{[]float64{3, 2, 1}, []Tag{2, 0, 0}, 1, DifficultNegative, TagRecord{{0, true, false}}},
		{[]float64{3, 2, 1}, []Tag{2, 0, 0}, 1, DifficultPositive, TagRecord{{0, true, true}}},
		{[]float64{3, 2}, []Tag{2, 2}, 2, DifficultSkip, nil},
	} {
		got, err := TopK(test.scores, test.truth, test.k, test.d)
		if diff := gocmp.Diff(test.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v: %v (-want +got):\n%s", test, err, diff)
		}
	}
	for _, test := range []struct {
		scores []float64
		truth  []Tag
		k      int
		d      DifficultRule
		want   string
	}{
		{[]float64{1}, []Tag{0}, 0, DifficultSkip, "top 0 of 1"},
		{[]float64{1}, []Tag{0}, 2, DifficultSkip, "top 2 of 1"},
		{[]float64{1, math.NaN()}, []Tag{0, 0}, 1, DifficultSkip, "class 1: score NaN"},
		{[]float64{1, 1}, []Tag{0, 9}, 1, DifficultSkip, "class 1: truth 9"},
		{[]float64{1, 1}, []Tag{0}, 1, DifficultSkip, "2 scores and 1 truths"},
		{[]float64{1, 1}, []Tag{0, 0}, 1, "none", `difficult rule "none"`},
	} {
		if _, err := TopK(test.scores, test.truth, test.k, test.d); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestTagsRefuse(t *testing.T) {
	for _, test := range []struct {
		bad  TagRecord
		want string
	}{
		{TagRecord{{2, true, true}}, "class 2 of 2"},
		{TagRecord{{1, true, true}, {0, true, true}}, "out of order"},
		{TagRecord{{0, true, true}, {0, true, true}}, "repeated"},
		{TagRecord{{0, false, false}}, "neither"},
	} {
		if _, err := TagsStatistic([]TagRecord{test.bad}, 2, "CP"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	if _, err := TagsStatistic(nil, 2, "P"); err == nil || !strings.Contains(err.Error(), "CF1") {
		t.Error(err)
	}
}

// drawTable draws scores like probabilities, a few classes present in each image, as in COCO.
func drawTable(images, classes int, seed uint64) ([]float64, []Tag) {
	r := rand.New(rand.NewPCG(seed, 2))
	scores, truth := make([]float64, images*classes), make([]Tag, images*classes)
	for i := range scores {
		logit := r.NormFloat64() - 3
		if r.Float64() < 2.9/float64(classes) {
			truth[i] = TagPresent
			logit += 4
		}
		scores[i] = 1 / (1 + math.Exp(-logit))
	}
	return scores, truth
}

// The interval of mAP holds the mAP, and drawing every image once is not drawing.
func TestMAPStatistic(t *testing.T) {
	scores, truth := drawTable(300, 5, 1)
	r, err := Rank(scores, truth, 5, DifficultSkip)
	if err != nil {
		t.Fatal(err)
	}
	mean, _, _ := r.MAP(StepAP, nil)
	in, err := Resample(r.images, 200, 1, 0.95, r.MAPStatistic(StepAP))
	if err != nil || in.Estimate != mean || !(in.Low < mean && mean < in.High) {
		t.Errorf("mAP %v, interval %+v, %v", mean, in, err)
	}
}

// BenchmarkRankMAP is the mAP of COCO val with background, from scores to the mean.
func BenchmarkRankMAP(b *testing.B) {
	scores, truth := drawTable(40000, 81, 1)
	for _, rule := range APRules {
		b.Run(rule.Name, func(b *testing.B) {
			for b.Loop() {
				r, err := Rank(scores, truth, 81, DifficultSkip)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, ok := r.MAP(rule, nil); !ok {
					b.Fatal("undefined")
				}
			}
		})
	}
}

// BenchmarkResampledMAP is one resample of the same.
func BenchmarkResampledMAP(b *testing.B) {
	scores, truth := drawTable(40000, 81, 1)
	r, err := Rank(scores, truth, 81, DifficultSkip)
	if err != nil {
		b.Fatal(err)
	}
	times := make([]int32, r.images)
	for range times {
		times[rand.IntN(len(times))]++
	}
	for b.Loop() {
		if _, _, ok := r.MAP(StepAP, times); !ok {
			b.Fatal("undefined")
		}
	}
}
