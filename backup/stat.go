package backup

import "syscall"

type syscallStat = syscall.Stat_t
