package datasets

import (
	"path/filepath"
	"testing"

	"ovbench/datasets/mat"
)

// Files that MATLAB itself compressed: sums and pixels as scipy.io.loadmat 1.17.1 and numpy read them.
func TestRealMat(t *testing.T) {
	dir := filepath.Join(Shared(t), "samples/cocostuff/cocostuff10k_mat")
	for _, test := range []struct {
		file, variable string
		sum            int
		x, y           int
		pixel          uint16
	}{
		{"COCO_train2014_000000119938.mat", "labelMapThings", 35403, 300, 200, 1},
		{"slico_COCO_train2014_000000119938.mat", "regionMap", 127410798, 200, 100, 204},
	} {
		l, err := mat.Read(filepath.Join(dir, test.file), test.variable)
		if err != nil {
			t.Error(err)
			continue
		}
		sum := 0
		for _, v := range l.Pix {
			sum += int(v)
		}
		if l.W != 640 || l.H != 427 || sum != test.sum || l.Pix[test.y*l.W+test.x] != test.pixel {
			t.Errorf("%s: %dx%d pixels, sum %d, %d at x %d, y %d", test.file, l.W, l.H, sum, l.Pix[test.y*l.W+test.x], test.x,
				test.y)
		}
	}
}
