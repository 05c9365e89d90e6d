package datasets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
)

func shapes(t testing.TB, o datasets.ShapesOptions) *datasets.Shapes {
	t.Helper()
	s, err := datasets.NewShapes(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShapesConformance(t *testing.T) {
	for _, o := range []datasets.ShapesOptions{{Images: 16}, {Images: 16, Split: "heldout", Pairs: true}} {
		datasetstest.Run(t, shapes(t, o))
	}
	for name, classes := range map[string]int{"shapes": 15, "shapes_pairs": 71} {
		ds := open(t, name, datasets.Options{})
		info := ds.Info()
		if info.Name != name || len(info.Classes) != classes || info.Split != "val" || ds.Len() != 400 {
			t.Errorf("%s: %d classes, %d pictures of %s", info.Name, len(info.Classes), ds.Len(), info.Split)
		}
		queries, err := datasets.QueriesOf(ds, "")
		if err != nil {
			t.Fatal(err)
		}
		for c, q := range queries {
			if len(q) != 1 || q[0] != info.Classes[c] {
				t.Errorf("%s: class %q is asked for by %q", name, info.Classes[c], q)
			}
		}
	}
}

// Digests of the first four samples of every split, written by this test: they hold on every machine, and for as long
// as published numbers and the built-in model rest on these pictures.
func TestShapesBytes(t *testing.T) {
	for split, want := range map[string]string{
		"train": "ea4cd62b4e62f31c", "dev": "26d75c9a9604876d", "val": "80735b6358b4d8d4", "heldout": "3083044026e7a35f",
	} {
		ds := shapes(t, datasets.ShapesOptions{Split: split, Images: 4, Seed: datasets.DefaultShapesSeed})
		h := sha256.New()
		for i := range ds.Len() {
			s, err := ds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			h.Write(s.Image.Pix)
			binary.Write(h, binary.LittleEndian, s.Labels.Pix)
			fmt.Fprintln(h, ds.Text(i, 8), s.Tags)
			for _, o := range s.Objects {
				fmt.Fprintln(h, o.Class, o.X0, o.Y0, o.X1, o.Y1, o.Mask.Encode())
			}
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
			t.Errorf("%s: digest %s, want %s", split, got, want)
		}
	}
}

// A picture depends on seed, split and number alone, not on how many there are.
func TestShapesAreIndependent(t *testing.T) {
	few, many := shapes(t, datasets.ShapesOptions{Images: 3}), shapes(t, datasets.ShapesOptions{Images: 1000})
	other, next := shapes(t, datasets.ShapesOptions{Images: 3, Seed: 9}),
		shapes(t, datasets.ShapesOptions{Images: 3, Split: "dev"})
	pix := func(ds datasets.Dataset, i int) []byte {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		return s.Image.Pix
	}
	first := pix(few, 2)
	if !bytes.Equal(first, pix(many, 2)) {
		t.Error("picture 2 of 3 is not picture 2 of 1000")
	}
	for what, p := range map[string][]byte{"another number": pix(few, 1), "another seed": pix(other, 2),
		"another split": pix(next, 2)} {
		if bytes.Equal(first, p) {
			t.Errorf("%s gives the same picture", what)
		}
	}
	if few.Info().ListSHA256 == other.Info().ListSHA256 {
		t.Error("two seeds share the digest of their lists")
	}
}

// What text says and what truth says of a picture are the same things, and the held-out pairs are where they belong.
func TestShapesTruth(t *testing.T) {
	const images = 60
	heldOut := map[string]bool{}
	for _, split := range []string{"heldout", "train",
		"val"} { // in this order: the first says which pairs the others must lack
		want := split == "heldout"
		kinds, grounds := shapes(t, datasets.ShapesOptions{Split: split, Images: images}), map[string]bool{}
		pairs := shapes(t, datasets.ShapesOptions{Split: split, Images: images, Pairs: true})
		kindNames, pairNames := kinds.Info().Classes, pairs.Info().Classes
		for i := range kinds.Len() {
			a, err := kinds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			b, err := pairs.At(i)
			if err != nil {
				t.Fatal(err)
			}
			text := kinds.Text(i, 5)
			if !bytes.Equal(a.Image.Pix, b.Image.Pix) || len(a.Objects) != len(text.Things) ||
				len(b.Objects) != len(text.Things) {
				t.Fatalf("%s: %d and %d objects, %d things", a.ID, len(a.Objects), len(b.Objects), len(text.Things))
			}
			wantKinds, wantPairs := map[string]bool{}, map[string]bool{}
			for k, thing := range text.Things {
				pair := thing.Colour + " " + thing.Shape
				wantKinds[thing.Shape], wantPairs[pair] = true, true
				if kindNames[a.Objects[k].Class] != thing.Shape || pairNames[b.Objects[k].Class] != pair {
					t.Errorf("%s: object %d is no %s", a.ID, k, pair)
				}
				if !strings.Contains(text.Captions[0], pair) {
					t.Errorf("%s: %q names no %s", a.ID, text.Captions[0], pair)
				}
				if want {
					heldOut[pair] = true
				} else if heldOut[pair] {
					t.Errorf("%s: a %s, which is held out", a.ID, pair)
				}
			}
			for _, g := range text.Grounds {
				grounds[g] = true
				if !strings.Contains(text.Captions[0], g) {
					t.Errorf("%s: %q names no %s", a.ID, text.Captions[0], g)
				}
			}
			checkShapeClasses(t, a, kindNames, wantKinds)
			checkShapeClasses(t, b, pairNames, wantPairs)
		}
		if len(grounds) != 7 {
			t.Errorf("%s: %d grounds in %d pictures", split, len(grounds), images)
		}
	}
	if len(heldOut) != 8 {
		t.Errorf("%d pairs are held out: %v", len(heldOut), heldOut)
	}
}

// checkShapeClasses compares tags, label map and masks of a sample with each other and with the things of its text.
func checkShapeClasses(t *testing.T, s datasets.Sample, names []string, things map[string]bool) {
	t.Helper()
	seen := map[uint16]int{}
	for _, v := range s.Labels.Pix {
		seen[v]++
	}
	masks := map[uint16]int{}
	for _, o := range s.Objects {
		masks[uint16(o.Class)] += int(o.Mask.Area())
	}
	first := uint16(len(names) - 7)
	for c, name := range names {
		n := seen[uint16(c)]
		if (s.Tags[c] == datasets.Present) != (n > 0) {
			t.Errorf("%s: %s has tag %d and %d pixels", s.ID, name, s.Tags[c], n)
		}
		if uint16(c) < first && (things[name] != (n > 0) || masks[uint16(c)] != n) {
			t.Errorf("%s: %s: in the text %v, %d pixels, %d in masks", s.ID, name, things[name], n, masks[uint16(c)])
		}
	}
}

// Enough of a thing can be seen, nearly always: its class is a fair question.
func TestShapesAreVisible(t *testing.T) {
	ds := shapes(t, datasets.ShapesOptions{Images: 60})
	small, objects := 0, 0
	for i := range ds.Len() {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range s.Objects {
			objects++
			if o.Mask.Area() < 100 {
				small++
			}
		}
	}
	if small*100 > objects {
		t.Errorf("%d of %d things have fewer than 100 pixels", small, objects)
	}
}

func TestShapesErrors(t *testing.T) {
	for _, test := range []struct {
		o    datasets.ShapesOptions
		want string
	}{
		{datasets.ShapesOptions{Split: "vall"}, `split "vall" is not known; did you mean "val"? (known: train, dev, val, heldout)`},
		{datasets.ShapesOptions{Images: -1}, "-1 images: want 1 to 1000000"},
		{datasets.ShapesOptions{Images: 1_000_001}, "1000001 images: want 1 to 1000000"},
	} {
		if _, err := datasets.NewShapes(test.o); err == nil || err.Error() != test.want {
			t.Errorf("%+v: got %v, want %q", test.o, err, test.want)
		}
	}
	if _, err := datasets.Open("shapes", datasets.Options{Split: "test"}); err == nil ||
		!strings.HasPrefix(err.Error(), "shapes: split") {
		t.Errorf("got %v", err)
	}
}

// A label map comes back as it went, through VOC's palette.
func BenchmarkShapes(b *testing.B) {
	ds := shapes(b, datasets.ShapesOptions{Images: 1000})
	for i := 0; b.Loop(); i++ {
		if _, err := ds.At(i % ds.Len()); err != nil {
			b.Fatal(err)
		}
	}
}
