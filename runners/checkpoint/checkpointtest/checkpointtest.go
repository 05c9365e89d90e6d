// Package checkpointtest answers: where does a test get a checkpoint of any tensors?
package checkpointtest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
)

// Weight is a tensor of random numbers of a mean and a standard deviation.
type Weight struct {
	Name      string
	Shape     []int
	Mean, Std float64
}

// List collects weights as layers of the usual kinds and sizes.
type List []Weight

// Add adds a tensor of mean 0.
func (l *List) Add(name string, std float64, shape ...int) {
	*l = append(*l, Weight{name, shape, 0, std})
}

// Norm adds a LayerNorm of a width.
func (l *List) Norm(name string, width int) {
	*l = append(*l, Weight{name + ".weight", []int{width}, 1, 0.1}, Weight{name + ".bias", []int{width}, 0, 0.1})
}

// Linear adds a linear layer whose results are about as large as what goes in.
func (l *List) Linear(name string, out, in int) {
	l.Add(name+".weight", 1/math.Sqrt(float64(in)), out, in)
	l.Add(name+".bias", 0.02, out)
}

// WriteSafetensors makes a file of float32 tensors from a seed. The numbers are uniform: as good as normal ones for
// tests, and faster to draw.
func WriteSafetensors(path string, ws []Weight, seed uint64) error {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	entries := map[string]entry{}
	at := 0
	for _, w := range ws {
		n := 4 * w.elements()
		entries[w.Name] = entry{"F32", append([]int{}, w.Shape...), [2]int{at, at + n}}
		at += n
	}
	header, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	out.Write(header)
	rng := rand.New(rand.NewPCG(seed, 1))
	var b []byte
	for _, w := range ws {
		width := float32(w.Std * math.Sqrt(12))
		for range w.elements() {
			b = binary.LittleEndian.AppendUint32(b[:0], math.Float32bits(float32(w.Mean)+(rng.Float32()-0.5)*width))
			out.Write(b)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (w Weight) elements() int {
	n := 1
	for _, d := range w.Shape {
		n *= d
	}
	return n
}
