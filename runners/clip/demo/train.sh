#!/bin/sh
# The training of the built-in model, as it was done: sh train.sh DATA OUT
# In parts: the first three are too hard a start for shapes, the last two go on where the rates had reached zero; see MODEL_CARD.md.
set -e
cd "$(dirname "$0")"
train() { python train.py --data "$DATA" --out "$OUT" --steps 2600 --every 100 --log 25 "$@"; }
DATA=$(realpath "$1") OUT=$(realpath -m "$2")

train --until 300 --keep 72 --ease 250 --wrong 1 --emphasis 4
train --until 500 --keep 72 --ease 250 --resume
train --until 700 --keep 72 --ease 250 --low 0.4 --resume
train --until 1500 --keep 0 --ease 600 --low 0.6 --steps 3000 --resume
train --keep 0 --ease 550 --low 0.6 --resume
train --until 2800 --keep 0 --ease 550 --low 0.5 --steps 5400 --decay 0.52 --every 200 --resume
train --keep 0 --ease 550 --low 0.5 --steps 4400 --decay 0.36 --every 200 --resume
python plot.py "$OUT"
