import{C as e,O as t,S as n,b as r,l as i,m as a,o,s,t as c,u as l}from"./store.js";import{a as u}from"./errors.js";var d=`schema`,f=new i(`localStorage`,`drafts`),p=t(void 0),m=t(0),h=t(``),g=t(0),_=t([]),v=t([]),y=t(``),b=t(``),x=t(void 0),S=()=>h.value!==(p.value?.sdl??``);async function C(){try{let e=await n();p.value=e,y.value=``;for(let e of f.left())await j(e);O&&await j(A(h.value));let t=(await c(`drafts`)).find(e=>e.id===d);m.value=t?.base??e.version,T(t?.sdl??(e.version===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:e.sdl))}catch(e){y.value=u(e)}}async function w(e){if(!p.value||p.value.version===e||b.value)return;let t=!S();try{p.value=await n()}catch{return}t?await P():N()}function T(e){clearTimeout(D),O=!1,h.value=e,g.value+=1,N()}var E=350,D,O=!1;function k(e){h.value=e,x.value=void 0,O=!0,clearTimeout(D),D=setTimeout(()=>{N(),j(A(e))},E)}var A=e=>({id:d,sdl:e,base:m.value});async function j(e){e.sdl===p.value?.sdl?await s(`drafts`,e.id):await o(`drafts`,e),h.value===e.sdl&&(O=!1),f.settle(e.id)}l(()=>{O&&f.leave(A(h.value))});var M=0;async function N(){M+=1;let t=M;try{let n=h.value.trim()?await e(h.value):{__typename:`SchemaDiff`,changes:[]};if(t!==M)return;y.value=``,v.value=n.__typename===`InvalidSchema`?n.errors:[],_.value=n.__typename===`SchemaDiff`?n.changes:[]}catch(e){t===M&&(y.value=u(e))}}async function P(){await s(`drafts`,d),x.value=void 0,m.value=p.value?.version??0,T(p.value?.sdl||(m.value===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:``))}async function F(e){T(e),await j(A(e))}async function I(e){b.value=e.dryRun?`Trying`:`Applying`,x.value=void 0;try{let t=await r(h.value,{...e,expectedVersion:m.value});return x.value=L(t,e.dryRun),t.__typename===`InvalidSchema`&&(v.value=t.errors),t.__typename!==`AppliedSchema`||e.dryRun?!1:(await s(`drafts`,d),p.value={sdl:h.value,version:t.version},m.value=t.version,_.value=[],await a(),!0)}catch(e){return x.value={good:!1,text:u(e)},!1}finally{b.value=``}}function L(e,t){switch(e.__typename){case`AppliedSchema`:{let n=e.backfilled===`0`?``:` Index entries of ${e.backfilled} documents ${t?`would be`:`were`} written.`;return{good:!0,text:t?`It would be applied.${n}`:`Version ${e.version} is applied.${n}`}}case`InvalidSchema`:return{good:!1,text:`The schema has errors. They are underlined.`};case`RefusedChange`:return{good:!1,text:e.reason};case`VersionMismatch`:return{good:!1,text:`Somebody applied version ${e.found} meanwhile; this was written against version ${e.expected}. Look at what changes now, then apply again.`}}}async function R(){try{p.value=await n(),m.value=p.value.version,await j(A(h.value)),x.value=void 0,await N()}catch(e){y.value=u(e)}}export{p as applied,I as apply,m as base,b as busy,_ as changes,P as discard,v as faults,w as followApplied,S as isChanged,C as loadSchema,x as outcome,F as propose,R as rebase,h as text,g as textReplaced,y as trouble,k as type};