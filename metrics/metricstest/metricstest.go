// Package metricstest answers: is a score a function of how often each image counts, and of nothing else?
package metricstest

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
)

// Family is a kind of records with a score of them.
type Family[R any] struct {
	// Draw is what one image contributes.
	Draw func(t *rapid.T) []R
	// Number gives a record the number of its image; nil where images are told apart by their place, one record each.
	Number func(r R, image int) R
	// Statistic is the score over that many images.
	Statistic func(records []R, images int) (metrics.Statistic, error)
	// Low is the least value; the highest is 1.
	Low float64
	// Ordered says that the numbers of images matter: ties rank by them, or halves are made by them.
	Ordered bool
}

// near is the difference that adding in another order makes.
const near = 1e-12

// Laws checks that an image counted n times is as good as n such images, that the order of images does not matter,
// and that the score lies in its range and is undefined for other numbers of images. Shards, resumed runs, intervals
// and paired comparisons rest on it.
func Laws[R any](t *testing.T, f Family[R]) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		images := make([][]R, rapid.IntRange(1, 5).Draw(t, "images"))
		times := make([]int32, len(images))
		var repeated [][]R
		for i := range images {
			images[i] = f.Draw(t)
			times[i] = rapid.Int32Range(0, 3).Draw(t, "times")
			repeated = append(repeated, slices.Repeat([][]R{images[i]}, int(times[i]))...)
		}
		stat := f.of(t, images)
		got, ok := stat(metrics.Draw{Times: times})
		if ok && !(got >= f.Low-near && got <= 1+near) {
			t.Fatalf("%v lies outside %v..1", got, f.Low)
		}
		if again, ok2 := stat(metrics.Draw{Times: times}); again != got || ok2 != ok {
			t.Fatalf("%v, then %v", got, again)
		}
		if _, ok := stat(metrics.Draw{Times: append(slices.Clone(times), 1)}); ok {
			t.Fatal("it takes more images than there are")
		}
		if _, ok := stat(metrics.Draw{Times: make([]int32, len(times))}); ok {
			t.Fatal("no image at all has a score")
		}
		if !f.Ordered {
			f.equal(t, "an image counted n times and n images", got, ok, repeated)
		}
		drawn := images
		if f.Ordered {
			return
		}
		got, ok = stat.Once(len(images))
		slices.Reverse(drawn)
		f.equal(t, "the images in another order", got, ok, drawn)
	})
}

// of is the statistic of images.
func (f Family[R]) of(t *rapid.T, images [][]R) metrics.Statistic {
	t.Helper()
	var records []R
	for i, image := range images {
		for _, r := range image {
			if f.Number != nil {
				r = f.Number(r, i)
			}
			records = append(records, r)
		}
	}
	stat, err := f.Statistic(records, len(images))
	if err != nil {
		t.Fatal(err)
	}
	return stat
}

func (f Family[R]) equal(t *rapid.T, law string, want float64, defined bool, images [][]R) {
	t.Helper()
	got, ok := f.of(t, images).Once(len(images))
	if ok != defined || ok && math.Abs(got-want) > near {
		t.Fatalf("%s: %v, %v and %v, %v", law, want, defined, got, ok)
	}
}
