import type { ListView } from '../view/list';
import type { RecordView } from '../view/record';
import type { Topic } from './topic';

export const topicList: ListView<Topic> = {
  kind: 'TopicList',
  columns: [
    { header: 'CODE', cell: ({ code }) => code },
    { header: 'EXIT', cell: ({ exit }) => exit, align: 'right' },
    { header: 'TITLE', cell: ({ title }) => title, shrink: true },
    { header: 'MEANING', cell: ({ meaning }) => meaning, wideOnly: true },
  ],
  name: ({ code }) => code,
  empty: 'There is nothing to explain.',
};

export const topicRecord: RecordView<Topic> = {
  kind: 'Topic',
  name: ({ code }) => code,
  sections: [
    {
      lines: ({ code, title, exit }) => [
        `${code}: ${title}`,
        ...(exit === undefined ? [] : [['exit code', exit] as const]),
      ],
    },
    { lines: ({ meaning }) => [meaning] },
    { title: 'What leads to it', lines: ({ causes }) => causes.map((cause) => `- ${cause}`) },
    { title: 'What to do', lines: ({ mend }) => mend.map((step) => `- ${step}`) },
    { title: 'See also', lines: ({ see }) => (see === undefined ? [] : [see.join(', ')]) },
  ],
};
