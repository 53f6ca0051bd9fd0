//! The Indexes page: every index at the left; at the right the operations that took time, at the server and in this
//! browser, with their plans and the index that would help.

import { useEffect, useState } from 'preact/hooks';
import { loadHistory } from '../../state/history';
import { Split } from '../../ui/Split';
import { named, Tabs } from '../../ui/Tabs';
import { Costliest } from './Costliest';
import { IndexTable } from './IndexTable';
import { Slowest } from './Slowest';

const SERVER = 'This server';
const BROWSER = 'This browser';

export default function Indexes() {
  const [pane, setPane] = useState('Indexes');
  const [whose, setWhose] = useState(SERVER);
  useEffect(() => void loadHistory(), []);
  const operations = (
    <>
      <div class="bar">
        <b class="title grow">What took time</b>
        <Tabs small label="Whose operations" tabs={named(SERVER, BROWSER)} value={whose} onChange={setWhose} />
      </div>
      {whose === SERVER ? <Costliest /> : <Slowest />}
    </>
  );
  return (
    <div class="page">
      <h1 class="unseen">Indexes</h1>
      <Split
        id="indexes"
        shown={pane}
        onShow={setPane}
        panes={[
          { name: 'Indexes', content: <IndexTable /> },
          { name: 'Slow operations', width: 620, content: operations },
        ]}
      />
    </div>
  );
}
