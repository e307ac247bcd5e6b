package chat

import "sync"

// Queues do one person's work in the order in which it came, and nobody waits for
// another: a queue for each, worked off by a goroutine that ends with the queue.
type Queues struct {
	Each, All int // how much may wait for one person, and in all; 0: any number
	// Failed is told what was panicked with. It concerns one event of one person,
	// and what waits behind it goes on.
	Failed func(panicked any)

	mu     sync.Mutex
	queues map[string][]func() // present while somebody works on it
	total  int
	closed bool
	work   sync.WaitGroup
}

// Add puts work at the end of somebody's queue, and reports whether it will be
// done.
func (q *Queues) Add(who string, work func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	queue, busy := q.queues[who]
	if q.closed || q.All > 0 && q.total >= q.All || q.Each > 0 && len(queue) >= q.Each {
		return false
	}
	if q.queues == nil {
		q.queues = map[string][]func(){}
	}
	q.total++
	q.queues[who] = append(queue, work)
	if !busy {
		q.work.Add(1)
		go q.drain(who)
	}
	return true
}

func (q *Queues) drain(who string) {
	defer q.work.Done()
	for {
		q.mu.Lock()
		queue := q.queues[who]
		if len(queue) == 0 {
			delete(q.queues, who)
			q.mu.Unlock()
			return
		}
		work := queue[0]
		queue[0] = nil
		q.queues[who] = queue[1:]
		q.total--
		q.mu.Unlock()
		q.do(work)
	}
}

func (q *Queues) do(work func()) {
	defer func() {
		if v := recover(); v != nil {
			if q.Failed == nil {
				panic(v)
			}
			q.Failed(v)
		}
	}()
	work()
}

// Close takes nothing more in, and waits for what is there.
func (q *Queues) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.work.Wait()
}
