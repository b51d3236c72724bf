import { expect, it } from 'vitest';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { defineTask, type TaskContext } from '../../src/runtime/task.ts';

/** Opens something at its first run, and says how often it did. */
function keepingTask() {
  const events: string[] = [];
  let failures = 1;
  const open = async () => {
    if (failures-- > 0) throw new Error('not yet');
    events.push('opened');
    return { value: 7, release: async () => void events.push('released') };
  };
  const task = defineTask(
    import.meta.url,
    'keepingTask',
    async (factor: number, { keep }: TaskContext) => (await keep(open)).value * factor,
  );
  return { task, events };
}

it('a pool keeps what a task has opened until it closes', async () => {
  const pool = await createInlinePool(nodeRuntime, { provider: 'cpu' });
  const [one, other] = [keepingTask(), keepingTask()];
  for (const { task } of [one, other]) await expect(pool.run(task, 1)).rejects.toThrow('not yet');
  expect(await Promise.all([pool.run(one.task, 2), pool.run(one.task, 3)])).toEqual([14, 21]);
  expect(await pool.run(other.task, 4)).toBe(28);
  expect([one.events, other.events]).toEqual([['opened'], ['opened']]);
  await pool.close();
  await pool.close();
  expect([one.events, other.events]).toEqual([
    ['opened', 'released'],
    ['opened', 'released'],
  ]);
});
